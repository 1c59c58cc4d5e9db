# docker build -f deploy/images/placement.Dockerfile -t holdfast/placement .
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/holdfast \
    && /opt/holdfast/bin/pip install --no-cache-dir ".[placement]"

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin holdfast
COPY --from=build /opt/holdfast /opt/holdfast
USER 10001
ENV PATH=/opt/holdfast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOLDFAST_LOG_FORMAT=json
# sidecars, page and metrics
EXPOSE 50005 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8081/healthz', timeout=2)"]
ENTRYPOINT ["holdfast"]
CMD ["placement"]
