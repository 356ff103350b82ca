# syntax=docker/dockerfile:1.7
# Images of medpipe. One Ray and one Python for driver, head and workers; nothing runs as root.
#   docker build --target cpu        -t medpipe:cpu .          head, driver, CPU workers
#   docker build --target curate-gpu -t medpipe:curate-gpu .   transcribing on GPUs (CUDA 12's cuBLAS)
#   docker build --target train-gpu  -t medpipe:train-gpu .    training (torch with CUDA 13)
# Two GPU images because ctranslate2 wants CUDA 12 and torch brings CUDA 13: no node needs both.
# Set: --build-arg REVISION="$(git rev-parse HEAD)", shown by `docker inspect`.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/medpipe/venv
ENV PATH=/opt/medpipe/venv/bin:$PATH
WORKDIR /build
# What changes seldom first: a change of medpipe's code does not fetch 700 MB again.
COPY requirements requirements
# deno is in it, too: it runs YouTube's player script; yt-dlp's own part (yt-dlp-ejs) comes with yt-dlp.
RUN pip install --require-hashes --requirement requirements/curate.txt
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY medpipe medpipe
RUN pip wheel --no-deps --wheel-dir /wheels .

FROM python:${PYTHON} AS cpu
ARG REVISION=unknown
LABEL org.opencontainers.image.title="medpipe" \
      org.opencontainers.image.description="Medical teaching videos into localized narratives, on Ray" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
# `ray up` copies files into containers by rsync, and its head reaches workers by ssh; the health
# check uses pgrep. Debian keeps one version of each in a release, so pins would only break builds.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates openssh-client procps rsync \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home --shell /bin/bash medpipe \
 && install --directory --owner=medpipe /scratch
COPY --from=packages /opt/medpipe/venv /opt/medpipe/venv
RUN --mount=type=bind,from=packages,source=/wheels,target=/wheels \
    /opt/medpipe/venv/bin/python -m pip install --no-cache-dir --no-deps /wheels/*.whl
COPY jobs /opt/medpipe/jobs
COPY cluster/drain_on_notice.py /opt/medpipe/
# Explicit: without RAY_AUTH_MODE Ray decides by whether a token file exists. At any other level of
# cardinality Ray's own metrics have a label for each task's name, and tasks are named by item. The
# head keeps about 4 KB for each of the last calls; by default 100,000 of them.
ENV PATH=/opt/medpipe/venv/bin:$PATH \
    HOME=/home/medpipe \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    RAY_AUTH_MODE=token \
    RAY_USAGE_STATS_ENABLED=0 \
    RAY_metric_cardinality_level=low \
    RAY_task_events_max_num_task_in_gcs=10000 \
    RAY_task_events_max_dropped_task_attempts_tracked_per_job_in_gcs=10000 \
    RAY_ENABLE_UV_RUN_RUNTIME_ENV=0
USER 1000
WORKDIR /home/medpipe
# Healthy unless a Ray was started here whose raylet has gone.
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s --retries=3 \
    CMD ["/bin/sh", "-c", "test ! -e /tmp/ray/session_latest || pgrep -x raylet > /dev/null"]
CMD ["medpipe", "--help"]

FROM cpu AS curate-gpu
USER 0
RUN --mount=type=bind,source=requirements,target=/build/requirements \
    /opt/medpipe/venv/bin/python -m pip install --no-cache-dir --require-hashes \
      --requirement /build/requirements/curate-gpu.txt
# ctranslate2 opens libcublas.so.12 by its bare name.
ENV LD_LIBRARY_PATH=/opt/medpipe/venv/lib/python3.11/site-packages/nvidia/cublas/lib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000

FROM cpu AS train-gpu
USER 0
RUN --mount=type=bind,source=requirements,target=/build/requirements \
    /opt/medpipe/venv/bin/python -m pip install --no-cache-dir --require-hashes \
      --requirement /build/requirements/train.txt
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000
