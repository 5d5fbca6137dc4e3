# The environment server, as Hugging Face Spaces (sdk: docker, port 7860) and any container host run it.
#   docker build -t polyguard .
#   docker run --read-only --tmpfs /tmp --cap-drop ALL -p 127.0.0.1:8000:7860 polyguard
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 user
# Only what serving needs: the training stack stays out of the image. Installed as root, so the server cannot change it.
RUN pip install --no-cache-dir openenv==0.10.0 fastapi==0.165.0 uvicorn==0.54.0 uvloop==0.23.0 websockets==17.4 \
    httpx==0.28.1 numpy==2.4.6 numba==0.68.1 pandas==3.1.1 pyarrow==26.0.1 pydantic==2.14.3 orjson==3.13.0 \
    bm25s==0.3.16 fhir.resources==8.3.0 prometheus-client==0.26.0 zxing-cpp==3.1.1 setuptools==80.9.0
COPY . /src
RUN pip install --no-cache-dir --no-deps --no-build-isolation /src
# Compiled at build for any processor of this architecture: a server starts without compiling and needs to write nothing
# outside /tmp. Floating point is the same on every host, so the same seed gives the same bytes.
ENV NUMBA_CPU_NAME=generic POLYGUARD_COMPILED=/opt/polyguard/compiled
WORKDIR /home/user
RUN NUMBA_CACHE_DIR=$POLYGUARD_COMPILED python -m polyguard_serving.container compile
USER user
ENV HOST=0.0.0.0 PORT=7860 HOME=/home/user TMPDIR=/tmp NUMBA_CACHE_DIR=/tmp/polyguard XDG_CACHE_HOME=/tmp/cache \
    GRADIO_TEMP_DIR=/tmp/gradio PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 OMP_WAIT_POLICY=passive
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-m", "polyguard_serving.container", "healthy"]
CMD ["python", "-m", "polyguard_serving.container", "serve"]
