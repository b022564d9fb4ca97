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
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

REGION = "us-east-1"
ACCOUNT_ID = "000000000000"
VENV = Path(__file__).parents[3] / ".venv-ministack"

# MiniStack's process.  Its own Firehose would store one object per record of a Kinesis source, without the record's
# metadata; include/local/aws/firehose_delivery delivers instead.  No setting turns that off (docs/adr/0033).
# Its CloudFormation refuses alarms on metric math: they are created here, and stay in INSUFFICIENT_DATA.
# Its API Gateway does not tell a function which API key called it.
PROGRAM = """
from ministack.services import firehose
firehose.ingest_from_kinesis_source = lambda stream_arn, records: None

from ministack.services.cloudformation import provisioners
alarm_on_one_metric = provisioners._cw_metric_alarm_record

def alarm_record(name, properties):
    if not properties.get("Metrics"):
        return alarm_on_one_metric(name, properties)
    (result,) = [each for each in properties["Metrics"] if each.get("ReturnData", True) not in (False, "false")]
    plain = {key: value for key, value in properties.items() if key != "Metrics"}
    return alarm_on_one_metric(name, {**plain, "Namespace": "metric math", "MetricName": result["Expression"]})

provisioners._cw_metric_alarm_record = alarm_record

from ministack.services import apigateway_v1
event_without_key = apigateway_v1._build_lambda_event_v1

def event_with_key(api_id, stage_name, stage, resource, request_path, method, headers, *more, **options):
    event = event_without_key(api_id, stage_name, stage, resource, request_path, method, headers, *more, **options)
    key = apigateway_v1._resolve_api_key(apigateway_v1._api_key_from_request(headers))
    event["requestContext"]["identity"]["apiKeyId"] = key["id"] if key else None
    return event

apigateway_v1._build_lambda_event_v1 = event_with_key

from ministack.app import main
main()
"""

# MiniStack's environment reaches every Lambda function, as it never would on AWS.  Only these variables are passed on.
PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL")


class StartError(RuntimeError):
    """MiniStack can't start; the message says why in one line."""


def server_environment(
    port: int, state: Path, *, host: str = "127.0.0.1", environ: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the whole environment of the MiniStack process.

    MiniStack writes the state of its services to ``state/services`` on SIGTERM, S3 objects to ``state/s3`` immediately.
    """
    return {
        **{name: environ[name] for name in PASSED_ON if name in environ},
        "GATEWAY_PORT": str(port),
        "BIND_HOST": host,
        "MINISTACK_REGION": environ.get("AWS_DEFAULT_REGION", REGION),
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


def client_environment(port: int, *, host: str = "127.0.0.1") -> dict[str, str]:
    """Return the AWS_* variables with which boto3, and whatever uses it, reaches MiniStack and nothing else."""
    return {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        # MiniStack checks no signature.  An access key of twelve digits would name another account.
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        # A laptop has no instance profile; boto3 must not ask the network for one.
        "AWS_EC2_METADATA_DISABLED": "true",
        # Nor may a person's own profile lead to an account.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def wait_until_ready(endpoint: str, deadline: float) -> None:
    """Return once MiniStack at ``endpoint`` answers.

    Args:
        endpoint: base URL, e.g. ``http://127.0.0.1:4566``.
        deadline: longest wait in seconds.

    Raises:
        StartError: it did not answer in time; the message holds the last reason.
    """
    ends = time.monotonic() + deadline
    reason = "no attempt"
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(f"{endpoint}/_ministack/ready", timeout=2) as answer:  # noqa: S310
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
    options = parser.parse_args(arguments)
    state = options.state.resolve()
    try:
        python = prepare(options.port, state, host=options.host, venv=options.venv)
    except StartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    os.chdir(state)
    environment = server_environment(options.port, state, host=options.host)
    return os.execve(python, [str(python), "-P", "-c", PROGRAM], environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
