"""The ports of the demo: chosen free, and claimed so that two demos started together do not choose the same."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import msgspec

# Locked files, one per claimed port.  They stay open until the process ends.
_claimed: list[TextIO] = []


class PortError(RuntimeError):
    """A requested port is taken; the message names the variable and the port."""


class Ports(msgspec.Struct, frozen=True):
    """Each can be set as the environment variable ``DEMO_<NAME>_PORT``; a default is used only while it is free."""

    airflow: int = 8080
    dashboard: int = 8501
    aws: int = 4566
    snowflake: int = 4443


def choose_ports(environ: Mapping[str, str]) -> Ports:
    """Choose the ports set in ``environ``, else the defaults, else free ones.

    Raises:
        PortError: a port that was set is not a port number, or is taken.
    """
    chosen: dict[str, int] = {}
    for field in msgspec.structs.fields(Ports):
        variable = f"DEMO_{field.name.upper()}_PORT"
        if given := environ.get(variable):
            if not given.isdecimal() or not 0 < int(given) < 65536:
                raise PortError(f"{variable}={given} is not a port number (1 to 65535)")
            if not _claim(int(given)):
                raise PortError(f"{variable}={given} is already in use: free that port, or unset {variable}")
            chosen[field.name] = int(given)
        else:
            chosen[field.name] = field.default if _claim(field.default) else _claim_any()
    return Ports(**chosen)


def _claim(port: int) -> bool:
    """Claim ``port``; return whether it was free.

    A process listens on the port only seconds later.  Until then the lock on a file keeps other demos from choosing it;
    the system releases the lock when this process ends.
    """
    lock = (Path(tempfile.gettempdir()) / f"clicks-to-deliveries-{os.getuid()}-port-{port}").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return False
    if not _is_free(port):
        lock.close()
        return False
    _claimed.append(lock)
    return True


def _claim_any() -> int:
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if _claim(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
