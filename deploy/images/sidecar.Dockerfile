# docker build -f deploy/images/sidecar.Dockerfile -t holdfast/sidecar .
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/holdfast \
    && /opt/holdfast/bin/pip install --no-cache-dir ".[sidecar,redis,postgres]"

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin holdfast \
    && install -d -o holdfast -g holdfast /var/lib/holdfast
COPY --from=build /opt/holdfast /opt/holdfast
USER 10001
ENV PATH=/opt/holdfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOLDFAST_LOG_FORMAT=json \
    HOLDFAST_DATA_DIR=/var/lib/holdfast
VOLUME /var/lib/holdfast
# apps, HTTP, peers
EXPOSE 50001 3500 50002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:3500/v1.0/healthz', timeout=2)"]
ENTRYPOINT ["holdfast"]
CMD ["sidecar"]
