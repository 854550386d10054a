# The server over stdio: docker run -i --rm -v backtests:/data backtesting-mcp
# With the optional packages too: docker build --build-arg LOCK=requirements-dev.lock
FROM python:3.12-slim
ARG LOCK=requirements.lock

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONPATH=/app \
    BACKTEST_DATA_DIR=/data
WORKDIR /app
COPY requirements.lock requirements-dev.lock ./
RUN pip install --require-hashes -r $LOCK && python -m compileall -q "$(python -c 'import site; print(site.getsitepackages()[0])')"
COPY main.py LICENSE NOTICE README.md ./
COPY config config
COPY utils utils
COPY database database
COPY backtesting backtesting
COPY mcp_server mcp_server
RUN python -m compileall -q . && useradd --create-home trader && install -d -o trader -m 700 /data
USER trader
VOLUME /data
HEALTHCHECK --interval=1m --timeout=30s CMD ["python", "main.py", "doctor"]
ENTRYPOINT ["python", "main.py"]
