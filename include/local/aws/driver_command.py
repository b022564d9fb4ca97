"""The command line of the drivers that deliver MiniStack's streams."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from botocore.exceptions import BotoCoreError


class Driver(Protocol):
    """Delivers the account's streams."""

    def run(self) -> None:
        """Deliver until stopped."""

    def stop(self) -> None:
        """Make ``run`` finish the batches in flight and return."""


def main(module: str, description: str, make: Callable[[Path], Driver], arguments: Sequence[str] | None = None) -> int:
    """Run the driver that ``make`` builds on a state directory until SIGTERM or SIGINT; return the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--state", type=Path, required=True, metavar="DIR", help="directory of the checkpoints")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    for chatty in ("botocore", "boto3", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    if not os.environ.get("AWS_ENDPOINT_URL"):
        # On AWS the service itself delivers: a driver would be a second consumer.
        print(
            "error: AWS_ENDPOINT_URL is not set: it must name a local stand-in, never an AWS account",
            file=sys.stderr,
        )
        return 1
    try:
        options.state.mkdir(parents=True, exist_ok=True)
        driver = make(options.state)
    except (OSError, BotoCoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: driver.stop())
    driver.run()
    return 0
