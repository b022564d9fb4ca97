"""Keeps the state between runs, for one run at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from include.generator.traffic import State


class StateError(RuntimeError):
    """The state file can't be used; the message says why and what to do."""


@contextmanager
def kept_state(path: Path | None) -> Iterator[tuple[State, Callable[[State], None]]]:
    """The state in ``path`` (an empty one if there is no file), and a function that saves the next state.

    The file is replaced atomically.  Until the block ends, no other run can use it: two runs would drive the same
    trucks twice.

    Raises:
        StateError: another run is using the file, or it does not hold a state.
        OSError: the file can't be read or written.
    """
    if path is None:
        yield State(), lambda _state: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StateError(
                f"another generator is using the state {path}: wait for it, or choose another file with --state"
            ) from error
        yield _read(path), lambda state: _write(path, state)


def _read(path: Path) -> State:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        return State()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StateError(f"{path} is not a generator's state ({error}): delete it to start over") from error


def _write(path: Path, state: State) -> None:
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(msgspec.msgpack.encode(state))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
