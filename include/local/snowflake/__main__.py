"""The command ``local-snowflake``: serve a state directory until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import shlex
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from . import tls
from .instance import Instance, StateLockedError
from .new_account import Administrator
from .server import PATIENCE_SECONDS, Server
from .snowpipe import Snowpipe

PORT = 4443
STATE = Path("local-snowflake-state")
PASSWORD_VARIABLE = "LOCAL_SNOWFLAKE_PASSWORD"  # noqa: S105 - the name of an environment variable


def main() -> int:
    arguments = _arguments()
    logging.basicConfig(
        stream=sys.stderr, level=arguments.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # fakesnow fetches its results this way; the results are small, so the copy is cheap.
    warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")
    # sqlglot warns of each clause that DuckDB lacks, such as a column's comment.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    for file in (arguments.certificate, arguments.key):
        if file is not None and not file.is_file():
            return _refuse(f"{file} does not exist")
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((arguments.host, arguments.port))
    except OSError as error:
        return _refuse(f"port {arguments.port} can't be used: {error.strerror}")
    try:
        instance = Instance(arguments.state, _administrator(arguments), streams_may_err=arguments.streams_may_err)
    except StateLockedError as error:
        return _refuse(f"state directory {arguments.state} is in use by another process: {error}")
    certificate, key, welcome = arguments.certificate, arguments.key, ""
    if certificate is None:
        files = tls.ensure(arguments.state.absolute() / "tls")
        certificate, key, welcome = files.certificate, files.key, _welcome(arguments, files.bundle)
    snowpipe = Snowpipe(instance)
    snowpipe.start()
    config = uvicorn.Config(
        Server(instance, patience=arguments.in_progress_after).app,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    _Uvicorn(config, welcome).run(sockets=[listener])
    snowpipe.stop(timeout=0.5)
    instance.close()
    logging.shutdown()
    # A thread that still waits for AWS must not hold up the exit; everything that was acknowledged is on disk.
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local-snowflake", description="Serve a local Snowflake.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=PORT, help="port to listen on (default: %(default)s)")
    parser.add_argument("--state", type=Path, default=STATE, help="directory of the databases (default: ./%(default)s)")
    parser.add_argument(
        "--administrator", default=Administrator.name,
        help=f"first user of a new account, whose password is ${PASSWORD_VARIABLE} (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--certificate", type=Path, help="PEM file (default: one for localhost, made in the state directory)"
    )
    parser.add_argument("--key", type=Path, help="PEM file of the certificate's key")
    parser.add_argument(
        "--in-progress-after",
        type=float,
        default=PATIENCE_SECONDS,
        metavar="SECONDS",
        help="answer 'in progress' when a statement takes longer (default: %(default)s, as in Snowflake)",
    )
    parser.add_argument(
        "--streams-may-err",
        action="store_true",
        help="SYSTEM$STREAM_HAS_DATA says true of every stream, empty or not, as it may in Snowflake",
    )
    parser.add_argument("--log-level", default="WARNING", help="least severe level to log (default: %(default)s)")
    arguments = parser.parse_args()
    if (arguments.certificate is None) != (arguments.key is None):
        parser.error("--certificate and --key go together")
    return arguments


def _administrator(arguments: argparse.Namespace) -> Administrator:
    return Administrator(arguments.administrator, os.environ.get(PASSWORD_VARIABLE, Administrator.password))


def _welcome(arguments: argparse.Namespace, bundle: Path) -> str:
    """How to connect, for somebody who started it without a certificate."""
    administrator = _administrator(arguments)
    is_default = administrator.password == Administrator.password
    password = administrator.password if is_default else f"${PASSWORD_VARIABLE}"
    login = f'user="{administrator.name}", password="{password if is_default else "..."}"'
    port = arguments.port
    return f"""Local Snowflake on https://localhost:{port}, state in {arguments.state.absolute()}.
Its first user is {administrator.name} with password {password}. In the shell of each client:
  export REQUESTS_CA_BUNDLE={shlex.quote(str(bundle))}
In Python:
  snowflake.connector.connect(account="local", {login}, host="localhost", port={port})
Ctrl-C stops it."""


class _Uvicorn(uvicorn.Server):
    """SIGTERM and SIGINT end the server, and are then over: the process's exit code is ours."""

    def __init__(self, config: uvicorn.Config, welcome: str) -> None:
        super().__init__(config)
        self._welcome = welcome

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._welcome:
            print(self._welcome, flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


def _refuse(reason: str) -> int:
    print(f"local Snowflake: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
