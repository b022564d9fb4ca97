"""The files in a driver's state directory: one JSON file per mapping or delivery stream that it follows.

A file is replaced as a whole, so a reader or a restarted driver finds either the old state or the new one.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

logger = logging.getLogger(__name__)

Status = TypeVar("Status", bound=msgspec.Struct)


def load(path: Path, shape: type[Status]) -> Status | None:
    """Read ``path``; return None where it is missing or, which is logged, unreadable."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        logger.warning("unreadable checkpoints %s (%s): starting without them", path, error)
        return None


def save(path: Path, status: msgspec.Struct) -> None:
    """Write ``status`` to ``path``; it survives a power failure once this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(msgspec.json.encode(status))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_all(state: Path, shape: type[Status]) -> list[Status]:
    """Read every file of the directory ``state``, in the order of their names."""
    statuses = []
    for path in sorted(state.glob("*.json")):
        try:
            statuses.append(msgspec.json.decode(path.read_bytes(), type=shape))
        except FileNotFoundError:
            continue  # The driver has just removed it.
    return statuses


def forget_others(state: Path, kept: Iterable[str]) -> None:
    """Remove the files of deleted mappings or delivery streams: all but ``<name>.json`` of the names in ``kept``."""
    names = set(kept)
    for path in state.glob("*.json"):
        if path.stem not in names:
            path.unlink(missing_ok=True)
