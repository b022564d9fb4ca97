"""One JSON file for each thing that a driver follows (a mapping, a delivery stream), in its state directory.

A file is replaced as a whole, so a reader or a killed driver finds either the state before or the state after.
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
    """What ``path`` holds; None where there is no file, or one that can't be read (which is said in the log)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=shape)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as error:
        logger.warning("unreadable checkpoints %s (%s): starting as if there were none", path, error)
        return None


def save(path: Path, status: msgspec.Struct) -> None:
    """Durable when it returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(msgspec.json.encode(status))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def load_all(state: Path, shape: type[Status]) -> list[Status]:
    """What every file of the directory ``state`` holds, in the order of their names."""
    statuses = []
    for path in sorted(state.glob("*.json")):
        try:
            statuses.append(msgspec.json.decode(path.read_bytes(), type=shape))
        except FileNotFoundError:
            continue  # What it was of has been deleted just now.
    return statuses


def forget_others(state: Path, kept: Iterable[str]) -> None:
    """Removes the files of what does not exist any more: all whose name without ``.json`` is not in ``kept``."""
    names = set(kept)
    for path in state.glob("*.json"):
        if path.stem not in names:
            path.unlink(missing_ok=True)
