"""A file that COPY loads, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Rejection:
    """A line that can't be loaded, or a file that can't be read, which has no line."""

    error: str
    category: str  # parsing or conversion
    code: int
    sqlstate: str
    line: int | None = None  # from 1, like the character in the line
    character: int | None = None
    byte_offset: int | None = None  # of that character in the file, unpacked
    column: str | None = None
    record: str | None = None


@dataclass
class FileLoad:
    """A file to load, and the outcome once it is loaded."""

    key: str
    name: str
    size: int = 0
    unpacked: int = 0
    etag: str = ""
    received_at: datetime | None = None
    status: str = "LOADED"
    parsed: int = 0
    loaded: int = 0
    error_limit: int = 1
    errors: int = 0
    rejected: list[Rejection] = field(default_factory=list)  # in the file's order, at least the first

    @property
    def first(self) -> Rejection | None:
        return self.rejected[0] if self.rejected else None

    def read(self, size: int, etag: str, unpacked: int) -> None:
        """The file was read: its size as stored, its ETag, and its size unpacked."""
        self.size, self.etag, self.unpacked = size, etag, unpacked

    def count(self, lines: int) -> None:
        """The file has this many lines; all are loaded unless ``reject`` follows."""
        self.parsed = self.loaded = lines

    def reject(self, rejected: list[Rejection], errors: int) -> None:
        """Lines, or the whole file, can't be loaded; ``rejected`` has at least the first of ``errors``."""
        self.rejected, self.errors = rejected, errors

    def limit_errors(self, limit: int) -> None:
        """From ``limit`` errors on, the whole file is skipped."""
        self.error_limit = limit

    def skip(self) -> None:
        """Load nothing of the file."""
        self.status, self.loaded = "LOAD_FAILED", 0

    def skip_rejected(self) -> None:
        """Load all lines but the rejected ones."""
        self.status, self.loaded = "PARTIALLY_LOADED", self.parsed - self.errors
