"""Which hours a rebuild has finished, in a file, so that a run that was stopped continues."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from include.archive import ArchiveObject


class RebuildError(RuntimeError):
    """The rebuild cannot continue.  Finished hours stay finished, and another run continues; the message says where."""


class RebuildProgress:
    """The finished hours.

    An hour's name has its bucket and stream.  It is recorded with the objects that it was rebuilt from: if the archive
    has more of it since, it is rebuilt again.
    """

    def __init__(self, path: Path | None) -> None:
        """Args:
        path: the file, created when missing; None keeps nothing.

        Raises:
            RebuildError: the file is no progress file.
        """
        self._path = path
        self._finished: dict[str, str] = {}
        if path and path.exists():
            try:
                self._finished = msgspec.json.decode(path.read_bytes(), type=dict[str, str])
            except msgspec.MsgspecError as error:
                raise RebuildError(f"{path} is no progress file: {error}") from error

    def is_finished(self, hour: str, objects: Sequence[ArchiveObject]) -> bool:
        return self._finished.get(hour) == _digest(objects)

    def finish(self, hour: str, objects: Sequence[ArchiveObject]) -> None:
        self._finished[hour] = _digest(objects)
        if self._path:
            temporary = self._path.with_name(self._path.name + ".tmp")
            temporary.write_bytes(json.dumps(self._finished, indent=0).encode())
            temporary.replace(self._path)


def _digest(objects: Sequence[ArchiveObject]) -> str:
    return sha256("\n".join(sorted(each.key for each in objects)).encode()).hexdigest()
