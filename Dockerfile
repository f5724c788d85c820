# Two images, both of which start without a key on the tiny model:
#   docker build .                 for NVIDIA GPUs
#   docker build --target cpu .    for the CPU, small, with the tiny model's weights: for tests of clients
# `deploy/try-image` runs the steps of either without an engine. The digests are those of the tags for all platforms, as
# other public builds pin them; they were not pulled during development.

# Dependencies come before the code because they change less often.
FROM scratch AS requirements
WORKDIR /
COPY pyproject.toml constraints.txt requirements.lock ./
COPY clients/python/pyproject.toml clients/python/

FROM scratch AS source
WORKDIR /
COPY pyproject.toml README.md ./
COPY weights weights
COPY pipelines pipelines
COPY enhancer enhancer
COPY server server
COPY ltx23_pytest ltx23_pytest
# The page in `server` links to the client in JavaScript.
COPY clients clients

FROM debian:bookworm-20260824-slim@sha256:88200866dfff7ea7f5cbcb6ec7c8a701889efe6fe859fe64d6990e4b07ea4171 AS cpu-base
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 ltx23 \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin ltx23 \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data /opt/ltx23/cache

FROM cpu-base AS cpu-build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/pip \
    && python3 -m venv --without-pip /opt/venv
# PyPI's torch for Linux includes CUDA's libraries; PyTorch's own index has builds without them.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PATH=/opt/pip/bin:$PATH
WORKDIR /opt/ltx23
COPY --from=requirements / ./
# Removed at once: bitsandbytes, whose 8- and 4-bit weights the tiny model has not, tests, and torch's headers and tools.
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock \
    && pip --python /opt/venv/bin/python install --no-cache-dir --constraint constraints.txt \
        --extra-index-url "$TORCH_INDEX" torch \
    && pip --python /opt/venv/bin/python uninstall --yes bitsandbytes \
    && find /opt/venv/lib/python3*/site-packages/torch/bin -type f ! -name torch_shm_manager -delete \
    && rm -r /opt/venv/lib/python3*/site-packages/torch/include /opt/venv/lib/python3*/site-packages/torch/test \
    && find /opt/venv/lib -type d -name tests -prune -exec rm -r {} +
COPY --from=source / ./
RUN pip --python /opt/venv/bin/python install --no-cache-dir --no-deps ./clients/python .

FROM cpu-base AS cpu
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/data \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LTX23_HOST=0.0.0.0 \
    LTX23_PORT=8000 \
    LTX23_CACHE_DIR=/opt/ltx23/cache \
    LTX23_DATA_DIR=/data/videos
COPY --from=cpu-build /opt/venv /opt/venv
USER 10001:10001
# The weights, and the map that shows previews.
RUN ltx23 weights fit-preview
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
# A container is healthy once it would render.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"LTX23_PORT\"]}/health', timeout=4)"]
ENTRYPOINT ["ltx23"]
CMD ["serve"]

# The torch wheel for Linux includes CUDA's libraries; the base image declares the driver that they need.
FROM nvidia/cuda:13.0.1-runtime-ubuntu24.04@sha256:c3fde347d52d578c84fd644bc177bc7ec333feaf11550d990da4084d7612e4c7 AS gpu
# g++ and python3-dev are for `--speed compile`.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ python3 python3-dev python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 ltx23 \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin ltx23 \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data /weights

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

WORKDIR /opt/ltx23
COPY --from=requirements / ./
RUN python3 -m venv /opt/venv \
    && mkdir weights pipelines enhancer server ltx23_pytest clients/python/ltx23_client \
    && touch README.md clients/python/README.md \
    && pip install --no-cache-dir --no-deps --require-hashes --requirement requirements.lock \
    && pip install --no-cache-dir --constraint constraints.txt ./clients/python '.[otel,c2pa]'

COPY --from=source / ./
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
