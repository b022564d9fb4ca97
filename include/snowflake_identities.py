"""The Snowflake identities of the pipeline: a role and a service user for each job, with a key pair.

``python -m include.snowflake_identities --keys DIRECTORY`` makes the private keys that are missing there and prints the
statements (``sql/bootstrap/identities.sql``) that an administrator runs.
"""

from __future__ import annotations

import argparse
import base64
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from include import names, sql

BOOTSTRAP = "bootstrap/identities.sql"
#: The jobs that somebody logs in for; their user and their role have one name.
JOBS = {
    "deployer": names.DEPLOYER_ROLE,
    "transformer": names.TRANSFORMER_ROLE,
    "repairer": names.REPAIRER_ROLE,
    "reader": names.READER_ROLE,
    "eraser": names.ERASER_ROLE,
}
_KEY_BITS = 2048


def key_file(keys: Path, job: str) -> Path:
    """The private key of a job's user: PKCS #8 in PEM, not encrypted."""
    return keys / f"{job}.p8"


def warehouse_of(job: str) -> str:
    """The warehouse of a job.  The dashboard has its own: a page that is left open never wakes the pipeline's."""
    return names.READER_WAREHOUSE if job == "reader" else names.WAREHOUSE


def ensure_keys(keys: Path) -> None:
    """Make the private keys that are missing in the directory ``keys``; only their owner can read them."""
    keys.mkdir(parents=True, exist_ok=True)
    for job in JOBS:
        file = key_file(keys, job)
        if not file.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=_KEY_BITS)
            encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
            file.touch(mode=0o600)
            file.write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none))


def statements(keys: Path) -> str:
    """Return the statements for the keys in ``keys``, which ``ensure_keys`` has made."""
    return sql.render(BOOTSTRAP, **{f"{job}_public_key": _public_key(key_file(keys, job)) for job in JOBS})


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m include.snowflake_identities",
        description="Make the keys of the pipeline's Snowflake users, and print the statements that create the users.",
    )
    parser.add_argument("--keys", type=Path, required=True, help="directory of the private keys")
    keys = parser.parse_args().keys
    ensure_keys(keys)
    print(statements(keys))


def _public_key(file: Path) -> str:
    """The public key as RSA_PUBLIC_KEY wants it: base64 without the lines BEGIN and END."""
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return base64.b64encode(key.public_key().public_bytes(serialization.Encoding.DER, form)).decode()


if __name__ == "__main__":
    main()
