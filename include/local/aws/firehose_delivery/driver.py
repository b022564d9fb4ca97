"""Follows the account's delivery streams, and runs a delivery for each that reads a Kinesis stream."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from include.local.aws import status_files
from include.local.aws.firehose_delivery.delivery import Delivery, DeliveryClients
from include.local.aws.firehose_delivery.settings import (
    DeliverySettings,
    UnsupportedDeliveryError,
    has_kinesis_source,
    read_delivery,
)
from include.local.aws.rate_limited_log import RateLimitedLogger

logger = logging.getLogger(__name__)

# How often delivery streams are listed, in seconds.
REFRESH_INTERVAL = 1.0
# How long a stop waits until the records that were read are stored, in seconds.
STOP_DEADLINE = 2.0


def make_clients() -> DeliveryClients:
    """Make clients from the standard AWS_* environment.  The driver retries by itself, so boto's retries are off."""
    once = {"total_max_attempts": 1}
    config = Config(connect_timeout=3, read_timeout=10, retries=once, max_pool_connections=20)
    # Firehose lets a function run for 5 minutes.
    invoking = Config(connect_timeout=3, read_timeout=305, retries=once, max_pool_connections=20)
    return DeliveryClients(
        firehose=boto3.client("firehose", config=config),
        kinesis=boto3.client("kinesis", config=config),
        lambda_=boto3.client("lambda", config=invoking),
        s3=boto3.client("s3", config=config),
    )


class DeliveryRunner:
    """Keeps a delivery alive while its delivery stream exists."""

    def __init__(self, clients: DeliveryClients, state: Path, settings: DeliverySettings) -> None:
        self.settings = settings
        self._clients = clients
        self._state = state
        self._stop = threading.Event()
        self._delivery: Delivery | None = None

    def refresh(self, settings: DeliverySettings) -> None:
        """Take over changed settings; start the delivery, again if an error ended it."""
        self.settings = settings
        if self._delivery is None or not self._delivery.is_alive():
            self._delivery = Delivery(self._clients, self._state, lambda: self.settings, self._stop)
            self._delivery.start()

    def stop(self) -> None:
        """Ask the delivery to end; do not wait for it."""
        self._stop.set()

    def join(self, deadline: float) -> None:
        """Wait for the delivery until ``deadline`` (of time.monotonic)."""
        if self._delivery:
            self._delivery.join(max(0.0, deadline - time.monotonic()))


class DeliveryDriver:
    """Runs every delivery stream of the account with a Kinesis source, until it is stopped."""

    def __init__(self, clients: DeliveryClients, state: Path) -> None:
        self._clients = clients
        self._state = state
        # A plain flag: a signal handler that sets an Event can deadlock with the thread that waits for the Event.
        self._stopping = False
        self._runners: dict[str, DeliveryRunner] = {}
        self._log = RateLimitedLogger("delivery streams")
        self._refused: set[str] = set()

    def stop(self) -> None:
        """Make ``run`` return; may be called from a signal handler."""
        self._stopping = True

    def run(self) -> None:
        """Follow the delivery streams until ``stop``; return within three seconds of it."""
        while not self._stopping:
            try:
                described = self._describe_all()
            except (ClientError, BotoCoreError) as error:
                self._log.failed(str(error))
            else:
                self._log.recovered()
                self._refresh(described)
            self._sleep(REFRESH_INTERVAL)
        self._finish(list(self._runners.values()))

    def _sleep(self, seconds: float) -> None:
        """Sleep in short pieces, so that a stop is noticed."""
        ends = time.monotonic() + seconds
        while not self._stopping and time.monotonic() < ends:
            time.sleep(0.1)

    def _describe_all(self) -> dict[str, dict[str, Any]]:
        """Return name -> description of the delivery streams with a Kinesis source."""
        firehose = self._clients.firehose
        names: list[str] = []
        more = True
        while more:
            start = {"ExclusiveStartDeliveryStreamName": names[-1]} if names else {}
            page = firehose.list_delivery_streams(DeliveryStreamType="KinesisStreamAsSource", Limit=100, **start)
            names += page["DeliveryStreamNames"]
            more = page["HasMoreDeliveryStreams"] and bool(page["DeliveryStreamNames"])
        described = {}
        for name in names:
            try:
                answer = firehose.describe_delivery_stream(DeliveryStreamName=name)
            except firehose.exceptions.ResourceNotFoundException:
                continue  # Deleted just now.
            if has_kinesis_source(answer["DeliveryStreamDescription"]):
                described[name] = answer["DeliveryStreamDescription"]
        return described

    def _refresh(self, described: dict[str, dict[str, Any]]) -> None:
        gone = self._runners.keys() - described.keys()
        self._finish([self._runners.pop(name) for name in gone])
        status_files.forget_others(self._state, described)
        for name, description in described.items():
            try:
                settings = read_delivery(description)
            except UnsupportedDeliveryError as error:
                if name not in self._refused:
                    self._refused.add(name)
                    logger.error("%s: its records are not delivered", error)
                continue
            runner = self._runners.get(name)
            if runner and runner.settings.created != settings.created:
                # Deleted and created again under the same name since the last refresh.
                self._finish([self._runners.pop(name)])
                runner = None
            if runner is None:
                runner = self._runners[name] = DeliveryRunner(self._clients, self._state, settings)
            runner.refresh(settings)

    def _finish(self, runners: list[DeliveryRunner]) -> None:
        for runner in runners:
            runner.stop()
        deadline = time.monotonic() + STOP_DEADLINE
        for runner in runners:
            runner.join(deadline)
