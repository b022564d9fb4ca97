"""``python -m include.local.aws.event_source_mapping --state DIR``: deliver until SIGTERM or SIGINT."""

from __future__ import annotations

import sys

from include.local.aws import driver_command
from include.local.aws.event_source_mapping.driver import MappingDriver, make_clients

if __name__ == "__main__":
    sys.exit(
        driver_command.main(
            "include.local.aws.event_source_mapping",
            "Deliver Kinesis streams to their functions, as the account's event source mappings say.",
            lambda state: MappingDriver(make_clients(), state),
        )
    )
