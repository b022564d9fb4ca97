# One image a kind of service: `airflow` (every Airflow component), `ministack` (the local AWS) and `local` (the local
# Snowflake, the event source mapping driver and the dashboard).  Their dependencies are the locks, by hash.
#
# Everything is compiled here: the services' user can't write beside the code, so each process and each health check
# would compile all that it imports, seconds of processor time each time.

FROM python:3.13.9-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONPATH=/app:/app/plugins \
    PATH=/opt/venv/bin:$PATH \
    UV_LINK_MODE=copy \
    UV_NO_CACHE=1 \
    UV_COMPILE_BYTECODE=1
# Directories that volumes are mounted on, so that a new volume belongs to the user that writes to it.
RUN useradd --uid 50000 --create-home pipeline \
    && install --directory --owner=pipeline --group=pipeline /state /certificates /keys /aws \
        /manifests /opt/airflow /opt/airflow/logs /opt/airflow/login
# The image of Python comes without its own bytecode.
RUN python -m compileall -q "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY include/requirements/base.txt /tmp/requirements.txt
RUN pip install --no-cache-dir "$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' /tmp/requirements.txt)"
WORKDIR /app

FROM base AS airflow
COPY include/requirements/compose.txt /tmp/requirements-compose.txt
RUN uv venv /opt/venv \
    && uv pip install --python /opt/venv/bin/python --require-hashes --requirement /tmp/requirements-compose.txt
COPY . /app
RUN python -m compileall -q /app
# airflow_config: what tasks work with is imported before they are forked.
ENV PYTHONPATH=/app:/app/plugins:/app/include/local/demo/airflow_config
ENV AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/app/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/app/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
USER pipeline

# The Lambdas see the packages of the interpreter that runs MiniStack, so that one holds nothing else.
FROM base AS ministack
COPY include/requirements/ministack.txt /tmp/requirements-ministack.txt
RUN uv venv /opt/ministack \
    && uv pip install --python /opt/ministack/bin/python --require-hashes --requirement /tmp/requirements-ministack.txt
COPY include /app/include
RUN python -m compileall -q /app
USER pipeline

FROM base AS local
COPY include/requirements/local.txt /tmp/requirements-local.txt
RUN uv venv /opt/venv \
    && uv pip install --python /opt/venv/bin/python --require-hashes --requirement /tmp/requirements-local.txt
COPY . /app
RUN python -m compileall -q /app
USER pipeline
