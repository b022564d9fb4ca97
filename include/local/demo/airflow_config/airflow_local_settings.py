"""Makes tasks and triggers start sooner on a laptop: what they work with is imported once, before they are forked.

Airflow imports a module of this name from its path.  A task spends most of its time importing the providers and the
Snowflake connector, which the operators import when they run.  Imported here, an 8-task run took 7 to 8 s instead of 28
to 31 s.  The triggerer would import the connector with its first question to Snowflake.

Of what a task does before its first statement, two more things are the same for all: the statements' templates are
compiled, and Python looks for the module of each file on the stack, because the Amazon provider's hook says who calls.
With so many modules the latter takes a quarter of a second, and afterwards nothing.  Each session of boto3 would read
the descriptions of its services anew: here all share one loader, as the clients of a session do, and it has read them.
And each login to Snowflake would first prove that its private key is one, which takes 40 ms of computing.

On SQLite a run waits for the next full second before it starts: Airflow compares the time that is in its way with
CURRENT_TIMESTAMP, which has no fractions there.  The scheduler asks SQLite for milliseconds instead.
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

if {"scheduler", "triggerer", "worker"} & set(sys.argv):
    import clicks_to_deliveries.hooks
    import clicks_to_deliveries.operators

    for package in (clicks_to_deliveries.hooks, clicks_to_deliveries.operators):
        for module in iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)

    from include import sql

    sql.compile_templates()
    inspect.stack()

    import boto3
    import botocore.session

    botocore.session.create_loader = cache(botocore.session.create_loader)
    for service in ("sts", "dynamodb"):
        # Nobody's: it sends nothing, and need not look for a key.
        nobody = boto3.Session(aws_access_key_id="-", aws_secret_access_key="-", region_name="us-east-1")  # noqa: S106
        nobody.client(service)

    from clicks_to_deliveries.hooks.snowflake_hook import PipelineSnowflakeHook
    from cryptography.hazmat.primitives import serialization

    from include import names

    serialization.load_pem_private_key = cache(serialization.load_pem_private_key)  # type: ignore[assignment]
    # A connection that is kept elsewhere is for tasks alone.
    if f"AIRFLOW_CONN_{names.SNOWFLAKE_CONNECTION.upper()}" in os.environ:
        with suppress(TypeError, ValueError):  # Of a key that can't be read, the tasks that need it tell.
            PipelineSnowflakeHook().get_private_key()

    # What is here stays, in this process and in those forked from it: looking for garbage among it is of no use.
    gc.freeze()

if "scheduler" in sys.argv:
    from sqlalchemy.ext.compiler import compiles
    from sqlalchemy.sql.functions import now

    @compiles(now, "sqlite")
    def _now_with_milliseconds(*_: Any, **__: Any) -> str:
        return "STRFTIME('%Y-%m-%d %H:%M:%f', 'now')"
