"""``python -m include.local.snowflake --port N --state DIR --certificate PEM --key PEM``: serve until SIGTERM."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from .instance import Instance, StateLockedError
from .server import Server
from .snowpipe import Snowpipe

log = logging.getLogger("include.local.snowflake")


class _Uvicorn(uvicorn.Server):
    """SIGTERM and SIGINT end it, and then are over: the process's exit code is ours."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m include.local.snowflake", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="directory of the databases")
    parser.add_argument("--certificate", type=Path, required=True, help="PEM file")
    parser.add_argument("--key", type=Path, required=True, help="PEM file")
    parser.add_argument("--log-level", default="WARNING")
    arguments = parser.parse_args()
    logging.basicConfig(
        stream=sys.stderr, level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # fakesnow fetches its results so; the copy is of results, which are small.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    # It tells of each clause that DuckDB has no word for, like a column's comment.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    for file in (arguments.certificate, arguments.key):
        if not file.is_file():
            return _refuse(f"{file} does not exist")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((arguments.host, arguments.port))
    except OSError as error:
        return _refuse(f"port {arguments.port} can't be used: {error.strerror}")
    try:
        instance = Instance(arguments.state)
    except StateLockedError as error:
        return _refuse(f"state directory {arguments.state} is in use by another process: {error}")
    instance.snowpipe = Snowpipe(instance)
    instance.snowpipe.start()
    server = _Uvicorn(
        uvicorn.Config(
            Server(instance).app,
            ssl_certfile=arguments.certificate,
            ssl_keyfile=arguments.key,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=1,
        )
    )
    server.run(sockets=[listener])
    instance.snowpipe.stop(timeout=0.5)
    instance.close()
    logging.shutdown()
    # A thread that still waits for AWS must not hold up the end; all that was acknowledged is on disk.
    os._exit(0)


def _refuse(reason: str) -> int:
    print(f"local Snowflake: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
