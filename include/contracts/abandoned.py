"""The notice of a batch that an event source mapping gave up on: an alert that people do not have yet.

QuarantineIntake writes it before it deletes the batch, as it is the last to know of it.  The DAG heartbeat turns
notices into an alert (clicks_to_deliveries/notifiers/abandoned_batches.py), and deletes them.
"""

from __future__ import annotations

import msgspec


class AbandonedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Whose batch it was, how many records it had, and why the mapping gave up."""

    function: str
    stream: str
    records: int
    rule: str
