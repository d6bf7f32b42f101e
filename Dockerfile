# docker build -t edgeflow . && docker run --rm -v "$PWD/runs:/work/runs" edgeflow build --target cortex-m4
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/edgeflow
COPY constraints.txt pyproject.toml README.md ./
COPY edgeflow edgeflow
COPY targets targets
COPY profiles profiles
RUN pip install --no-cache-dir -c constraints.txt .

WORKDIR /work
ENTRYPOINT ["edgeflow"]
CMD ["--help"]
