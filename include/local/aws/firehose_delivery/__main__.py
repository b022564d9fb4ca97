"""``python -m include.local.aws.firehose_delivery --state DIR``: deliver until SIGTERM or SIGINT."""

from __future__ import annotations

import sys

from include.local.aws import driver_command
from include.local.aws.firehose_delivery.driver import DeliveryDriver, make_clients

if __name__ == "__main__":
    sys.exit(
        driver_command.main(
            "include.local.aws.firehose_delivery",
            "Deliver Kinesis streams to S3, as the account's Firehose delivery streams say.",
            lambda state: DeliveryDriver(make_clients(), state),
        )
    )
