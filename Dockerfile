# The environment server, as Hugging Face Spaces (sdk: docker) and any container host run it.
FROM python:3.11-slim
RUN useradd --create-home --uid 1000 user
USER user
WORKDIR /home/user/app
ENV PATH=/home/user/.local/bin:$PATH PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000
# Only what serving needs: the training stack stays out of the image.
RUN pip install --no-cache-dir --user openenv==0.10.0 fastapi==0.165.0 uvicorn==0.54.0 uvloop==0.23.0 \
    websockets==17.4 pandas==3.1.1 pyarrow==26.0.1 numpy==2.4.6 pydantic==2.14.3 setuptools==80.9.0 bm25s==0.3.16
COPY --chown=user . .
RUN pip install --no-cache-dir --user --no-deps --no-build-isolation .
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health', timeout=4)"
CMD ["server"]
