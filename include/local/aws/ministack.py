"""MiniStack, the laptop's AWS: its environment, its entry point and the wait until it answers.

``python -m include.local.aws.ministack --port 4566 --state DIR`` becomes MiniStack (``exec``); signals and exit code
are MiniStack's.  MiniStack has its own virtual environment, because the Lambda functions that it runs see the packages
of that environment: a bundle that lacks a dependency must fail here as it would on AWS.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
VENV = Path(__file__).parents[3] / ".venv-ministack"

# MiniStack's process: one program of these parts, in this order.
PARTS = ("services", "iam_names", "stack_role", "index_order", "stream_retention", "durability", "start")
PROGRAM = "\n".join((Path(__file__).parent / "ministack_program" / f"{part}.py").read_text() for part in PARTS)

# MiniStack's environment reaches every Lambda function, as it never would on AWS.  Only these variables are passed on.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL")


class Tls(NamedTuple):
    """PEM files of a MiniStack that speaks TLS: its certificate and key, and the authority that clients trust.

    That authority alone: Python reads the file for each connection, and all of certifi's take 20 ms.
    """

    certificate: Path
    key: Path
    ca: Path


class StartError(RuntimeError):
    """MiniStack can't start; the message says why in one line."""


def server_environment(port: int, state: Path, *, host: str = "127.0.0.1", tls: Tls | None = None) -> dict[str, str]:
    """Return the whole environment of the MiniStack process.

    MiniStack writes the state of its services to ``state/services`` on SIGTERM, S3 objects to ``state/s3`` immediately.
    With ``tls`` it speaks TLS and enforces IAM: the bucket's policy, once enforced, lets nobody in without TLS.
    """
    enforcement = (
        {
            "AUTH": "true",
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(tls.certificate),
            "MINISTACK_SSL_KEY": str(tls.key),
            # For the functions, whose clients call MiniStack too.
            "AWS_CA_BUNDLE": str(tls.ca),
        }
        if tls
        else {}
    )
    return {
        **enforcement,
        **{name: os.environ[name] for name in PASSED_ON if name in os.environ},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": host,
        "MINISTACK_REGION": os.environ.get("AWS_DEFAULT_REGION", REGION),
        "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
        "PERSIST_STATE": "1",
        "STATE_DIR": str(state / "services"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        # Lambda bundles are unpacked under the state directory too, so that nothing is left in /tmp.
        "TMPDIR": str(state / "tmp"),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "TZ": "UTC",
        "PYTHONUTF8": "1",
    }


def client_environment(port: int, *, host: str = "127.0.0.1", tls: Tls | None = None) -> dict[str, str]:
    """Return the AWS_* variables with which boto3, and whatever uses it, reaches MiniStack and nothing else.

    The key is the account's root, who may do everything.
    """
    return {
        "AWS_ENDPOINT_URL": f"{'https' if tls else 'http'}://{host}:{port}",
        **({"AWS_CA_BUNDLE": str(tls.ca)} if tls else {}),
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        # An access key of twelve digits would name another account.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # A laptop has no instance profile; boto3 must not ask the network for one.
        "AWS_EC2_METADATA_DISABLED": "true",
        # Nor may a person's own profile lead to an account.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def wait_until_ready(endpoint: str, deadline: float, tls: Tls | None = None) -> None:
    """Return once MiniStack at ``endpoint`` answers.

    Args:
        endpoint: base URL, e.g. ``http://127.0.0.1:4566``.
        deadline: longest wait in seconds.
        tls: of an endpoint that speaks it.

    Raises:
        StartError: it did not answer in time; the message holds the last reason.
    """
    trust = ssl.create_default_context(cafile=str(tls.ca)) if tls else None
    ends = time.monotonic() + deadline
    reason = "no attempt"
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/ready", timeout=2, context=trust) as answer:  # noqa: S310
                if answer.status == 200:
                    return
                reason = f"HTTP {answer.status}"
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = str(error)
        time.sleep(0.05)
    raise StartError(f"MiniStack at {endpoint} is not ready after {deadline:g} s: {reason}")


def prepare(port: int, state: Path, *, host: str = "127.0.0.1", venv: Path = VENV) -> Path:
    """Check MiniStack's requirements and make its directories; return its virtual environment's interpreter.

    Raises:
        StartError: the virtual environment is missing, the port is taken or the state directory can't be written.
    """
    python = venv / "bin" / "python"
    if not (venv / "bin" / "ministack").exists():
        raise StartError(f"MiniStack's virtual environment is missing: no {venv / 'bin' / 'ministack'}")
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise StartError(f"MiniStack can't listen on {host}:{port}: {error.strerror}") from error
    try:
        # Bundles that a killed process left are of no use to the next.
        shutil.rmtree(state / "tmp", ignore_errors=True)
        for directory in ("services", "s3", "tmp"):
            (state / directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"MiniStack can't write its state to {state}: {error.strerror}") from error
    return python


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m include.local.aws.ministack", description="Run MiniStack, the laptop's AWS, on one address."
    )
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="directory of the persistent state")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--venv", type=Path, default=VENV, metavar="DIR", help="MiniStack's virtual environment (default: %(default)s)"
    )
    group = parser.add_argument_group("TLS", "with these three, MiniStack speaks TLS and enforces IAM")
    group.add_argument("--certificate", type=Path, metavar="FILE", help="certificate, PEM")
    group.add_argument("--key", type=Path, metavar="FILE", help="its key, PEM")
    group.add_argument("--ca", type=Path, metavar="FILE", help="the authority that clients trust, PEM")
    options = parser.parse_args(arguments)
    files = (options.certificate, options.key, options.ca)
    if any(files) and not all(files):
        parser.error("give --certificate, --key and --ca, or none of them")
    tls = Tls(*(each.resolve() for each in files)) if all(files) else None
    state = options.state.resolve()
    try:
        python = prepare(options.port, state, host=options.host, venv=options.venv)
    except StartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    os.chdir(state)
    environment = server_environment(options.port, state, host=options.host, tls=tls)
    return os.execve(python, [str(python), "-P", "-c", PROGRAM], environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
