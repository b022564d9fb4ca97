"""Whether the pipeline has processed everything that was sent to it."""

from __future__ import annotations

from pathlib import Path

from snowflake.connector import SnowflakeConnection

from include import names
from include.local.aws import event_source_mapping, firehose_delivery
from include.local.demo import live_counts
from include.local.demo.connections import select

STREAMS = (names.CLICK_STREAM, names.TRUCK_STREAM)

SNOWFLAKE_STAGES = f"""
    SELECT
        (SELECT COUNT(DISTINCT FILE_NAME) FROM {names.RAW_TABLE}),
        SYSTEM$STREAM_HAS_DATA('{names.RAW_STREAM}'),
        (SELECT MAX(CHECKED_AT) FROM {names.QUALITY_RESULTS_TABLE})
        > (SELECT MAX(FINISHED_AT) FROM {names.MERGE_RUNS_TABLE})
"""


def unsettled_stage(state: Path, bucket: str, connection: SnowflakeConnection, all_sent: float) -> str:
    """Describe the first stage, in the order of the flow, that still has work to do; empty when none has.

    Args:
        state: of the demo.
        all_sent: when the last record had been sent, in seconds since the epoch.
    """
    mappings = event_source_mapping.read_status(state / "event-source-mapping")
    processed = {_stream(each.stream_arn) for each in mappings if each.caught_up(all_sent)}
    for stream in STREAMS:
        if stream not in processed:
            return f"the event source mapping of {stream} has not reached the tip"
    deliveries = firehose_delivery.read_status(state / "firehose-delivery")
    archived = {_stream(each.stream_arn) for each in deliveries if each.caught_up(all_sent)}
    for stream in STREAMS:
        if stream not in archived:
            return f"Firehose has not archived all of {stream}"
    landed = live_counts.objects(bucket, names.LANDING_PREFIX)
    loaded, has_data, is_checked = select(connection, SNOWFLAKE_STAGES)[0]
    if loaded < landed:
        return f"Snowpipe has loaded {loaded} of {landed} landing files"
    if has_data:
        return f"the stream {names.RAW_STREAM} has rows to merge"
    return "" if is_checked else "data_quality has not checked the last merge"


def _stream(arn: str) -> str:
    return arn.rpartition("/")[2]
