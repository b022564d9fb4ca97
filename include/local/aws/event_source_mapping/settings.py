"""One event source mapping's settings, as ListEventSourceMappings returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.local.aws.event_source_mapping.filter_patterns import PatternError, RecordFilter, read_filter

UNLIMITED = -1


class UnsupportedMappingError(ValueError):
    """The mapping uses a setting that this driver does not apply; ignoring it would deliver other records."""


@dataclass(frozen=True, slots=True)
class MappingSettings:
    """Names and units follow AWS's API; -1 means no limit.  AWS's defaults replace fields that MiniStack leaves out."""

    uuid: str
    stream_arn: str
    function_arn: str
    batch_size: int
    batching_window: float  # seconds
    starting_position: str  # TRIM_HORIZON, LATEST or AT_TIMESTAMP
    starting_timestamp: float | None  # seconds since the epoch, with AT_TIMESTAMP
    maximum_retry_attempts: int
    maximum_record_age: float  # seconds
    bisect: bool
    parallelization_factor: int  # batches of one shard at the same time
    filter: RecordFilter | None  # None: every record passes
    report_item_failures: bool
    on_failure: str | None  # ARN of a bucket, queue or topic
    emulator_delivers: bool  # MiniStack's own poller has processed records, besides this driver

    @property
    def function_name(self) -> str:
        """The function's name, without version or alias."""
        return self.function_arn.split(":")[6]

    @property
    def region(self) -> str:
        """The stream's region."""
        return self.stream_arn.split(":")[3]


def is_kinesis(response: Mapping[str, Any]) -> bool:
    """Whether an entry of ListEventSourceMappings reads a Kinesis stream."""
    return str(response.get("EventSourceArn", "")).split(":")[2:3] == ["kinesis"]


def read_mapping(response: Mapping[str, Any]) -> MappingSettings:
    """Read one entry of ListEventSourceMappings.

    Raises:
        UnsupportedMappingError: it has a tumbling window, a filter pattern that can't be applied, or starts at a
            timestamp that MiniStack did not keep.
    """
    mapping = f"mapping {response['UUID']}"
    if response.get("TumblingWindowInSeconds"):
        raise UnsupportedMappingError(f"{mapping} sets TumblingWindowInSeconds, which is not applied here")
    started: datetime | float | None = response.get("StartingPositionTimestamp")
    if response.get("StartingPosition") == "AT_TIMESTAMP" and started is None:
        # MiniStack does not keep it, and starting anywhere else would deliver other records.
        raise UnsupportedMappingError(f"{mapping} starts AT_TIMESTAMP and has no StartingPositionTimestamp")
    try:
        record_filter = read_filter(response.get("FilterCriteria"))
    except PatternError as error:
        raise UnsupportedMappingError(f"{mapping}: {error}") from error
    destination = response.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return MappingSettings(
        uuid=response["UUID"],
        stream_arn=response["EventSourceArn"],
        function_arn=response["FunctionArn"],
        # CloudFormation on MiniStack keeps numbers as text, as in the template.
        batch_size=int(response.get("BatchSize", 100)),
        batching_window=float(response.get("MaximumBatchingWindowInSeconds", 0)),
        starting_position=response.get("StartingPosition", "LATEST"),
        starting_timestamp=started.timestamp() if isinstance(started, datetime) else started,
        maximum_retry_attempts=int(response.get("MaximumRetryAttempts", UNLIMITED)),
        maximum_record_age=float(response.get("MaximumRecordAgeInSeconds", UNLIMITED)),
        parallelization_factor=int(response.get("ParallelizationFactor") or 1),
        filter=record_filter,
        bisect=str(response.get("BisectBatchOnFunctionError", False)).lower() == "true",
        report_item_failures="ReportBatchItemFailures" in response.get("FunctionResponseTypes", ()),
        on_failure=destination or None,
        # State is of no use: MiniStack reports every mapping made by CloudFormation as Enabled.
        emulator_delivers=response.get("LastProcessingResult", "").startswith(("OK", "FAILED")),
    )
