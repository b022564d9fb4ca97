"""What each released version created, frozen: tests upgrade it to the present version."""

from __future__ import annotations

from pathlib import Path

DIRECTORY = Path(__file__).parent
# A directory per version, with its DDL and what identifies the resources of its template.
DDL, RESOURCES = "ddl.sql", "resources.json"


def releases() -> list[Path]:
    """The directories of all released versions."""
    return sorted(file.parent for file in DIRECTORY.glob(f"*/{DDL}"))
