"""``python -m include.local.firehose_delivery --state DIR``: delivers for the account that AWS_* names."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from botocore.exceptions import BotoCoreError

from include.local.firehose_delivery.driver import Driver, make_clients


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m include.local.firehose_delivery",
        description="Deliver Kinesis streams to S3, as the account's Firehose delivery streams say.",
    )
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="directory of the checkpoints")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    for chatty in ("botocore", "boto3", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if not os.environ.get("AWS_ENDPOINT_URL"):
        # On AWS the service itself delivers; this must never be a second consumer there.
        print("error: AWS_ENDPOINT_URL is not set: this drives a local stand-in, never an AWS account", file=sys.stderr)
        return 1
    try:
        options.state.mkdir(parents=True, exist_ok=True)
        driver = Driver(make_clients(), options.state)
    except (OSError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: driver.stop())
    driver.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
