# The torch wheel for Linux includes CUDA's libraries; the base image declares the driver that they need.
# The digest is that of the tag for all platforms, as other public builds pin it; it was not pulled during development.
FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04@sha256:c3fde347d52d578c84fd644bc177bc7ec333feaf11550d990da4084d7612e4c7

# g++ and python3-dev are for `--speed compile`.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 ltx23 \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin ltx23 \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data

# `video` lets a container use NVENC; the base image asks for the rest.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility,video

# Libraries write their home files to the volume, because the root may be read-only.
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LTX23_HOST=0.0.0.0 \
    LTX23_PORT=8000 \
    LTX23_CACHE_DIR=/data/cache \
    LTX23_DATA_DIR=/data/videos \
    LTX23_WEIGHTS_DIR=/weights \
    HF_HOME=/data/huggingface

# Dependencies come before the code because they change less often.
WORKDIR /opt/ltx23
COPY pyproject.toml constraints.txt requirements.lock ./
COPY clients/python/pyproject.toml clients/python/
RUN python3 -m venv /opt/venv \
    && mkdir weights pipelines enhancer server ltx23_pytest clients/python/ltx23_client \
    && touch README.md clients/python/README.md \
    && pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock \
    && pip install --no-cache-dir --constraint constraints.txt ./clients/python '.[otel,c2pa]'

COPY README.md ./
COPY weights weights
COPY pipelines pipelines
COPY enhancer enhancer
COPY server server
COPY ltx23_pytest ltx23_pytest
COPY clients/python clients/python
RUN pip install --no-cache-dir --no-deps --force-reinstall ./clients/python .

USER 10001:10001
WORKDIR /data
VOLUME ["/weights", "/data"]
EXPOSE 8000

# Loading the real weights takes a while; until then /health says 503.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"LTX23_PORT\"]}/livez', timeout=4)"]

ENTRYPOINT ["ltx23"]
CMD ["serve"]
