# The runner Space: trains model runs on an A10G, or evaluates published ones on any hardware (polyguard_assets.runner).
# Jobs on the hub use this image too.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 user
# This CUDA build of torch also runs without a GPU; unsloth comes with the gpu extra.
RUN pip install --no-cache-dir torch==2.13.0
COPY . /opt/polyguard
WORKDIR /opt/polyguard
RUN pip install --no-cache-dir '.[gpu]' && install -d -o user -g user /data
USER user
ENV HOST=0.0.0.0 PORT=7860 HOME=/home/user POLYGUARD_ROOT=/opt/polyguard POLYGUARD_DATA_LAKE=/data \
    POLYGUARD_DAGSTER_STATE=/data/.dagster TMPDIR=/tmp NUMBA_CACHE_DIR=/tmp/polyguard XDG_CACHE_HOME=/tmp/cache \
    HF_HOME=/data/.huggingface MPLCONFIGDIR=/tmp/matplotlib PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 7860
CMD ["python", "-m", "polyguard_assets.runner"]
