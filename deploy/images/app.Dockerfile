# The sample app of deploy/compose: an app needs the SDK and nothing else.
# docker build -f deploy/images/app.Dockerfile -t holdfast/sample-app .
FROM python:3.12-slim
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir . \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin app
COPY deploy/compose/app.py /app/app.py
USER 10001
ENV PYTHONUNBUFFERED=1
CMD ["python", "/app/app.py"]
