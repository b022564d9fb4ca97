"""``python -m include.local.event_source_mapping --state DIR``: drives the mappings of the account that AWS_* names."""

from __future__ import annotations

import sys

from include.local import driver_command
from include.local.event_source_mapping.driver import Driver, make_clients

if __name__ == "__main__":
    sys.exit(
        driver_command.main(
            "include.local.event_source_mapping",
            "Deliver Kinesis streams to their functions, as the account's event source mappings say.",
            lambda state: Driver(make_clients(), state),
        )
    )
