"""Writes the secrets of docker-compose.yaml to .env, or adds those that are missing; those that are there stay.

    python3 include/local/cluster/env_file.py

They must stay: the volumes' databases were made with them.
"""

from __future__ import annotations

import base64
import os
import platform
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SECRETS = ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "AIRFLOW_API_SECRET", "AIRFLOW_JWT_SECRET", "AIRFLOW_ADMIN_PASSWORD")
ARM = {"LAMBDA_ARCHITECTURE": "arm64", "BUNDLE_PLATFORM": "aarch64-manylinux_2_28"}


def ensure(path: Path) -> list[str]:
    """Add what is missing to the file, which only its owner may read; return the names of what was added."""
    there = read(path) if path.exists() else {}
    added = {name: value for name, value in new_values().items() if name not in there}
    if added:
        old = path.read_text() if path.exists() else ""
        lines = [*old.splitlines(), *(f"{name}={value}" for name, value in added.items())]
        path.touch(mode=0o600)
        path.write_text("\n".join(lines) + "\n")
    return list(added)


def read(path: Path) -> dict[str, str]:
    """The variables of the file."""
    lines = (line.partition("=") for line in path.read_text().splitlines() if not line.startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in lines if equals}


def new_values() -> dict[str, str]:
    """Secrets that nobody has seen, and on an ARM machine (Apple silicon) the settings of its architecture."""
    return {
        **{name: secrets.token_hex(16 if name == "AIRFLOW_ADMIN_PASSWORD" else 32) for name in SECRETS},
        "AIRFLOW_FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        **(ARM if platform.machine() in ("arm64", "aarch64") else {}),
    }


if __name__ == "__main__":
    file = ROOT / ".env"
    names = ensure(file)
    print(f"{os.path.relpath(file)}: {'added ' + ', '.join(names) if names else 'nothing was missing'}")
