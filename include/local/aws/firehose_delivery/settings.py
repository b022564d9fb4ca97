"""One delivery stream's settings, as DescribeDeliveryStream returns them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.local.aws.firehose_delivery.objects import check_prefix

MEGABYTE = 1 << 20
SUPPORTED_COMPRESSION = ("GZIP", "UNCOMPRESSED")


class UnsupportedDeliveryError(ValueError):
    """The delivery stream uses a setting that is not applied here; ignoring it would deliver something else."""


@dataclass(frozen=True, slots=True)
class Processor:
    """The Lambda function that transforms records."""

    function_arn: str
    buffer_bytes: int
    buffer_seconds: float
    retries: int  # after the first invocation


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Where a delivery stream reads records, how it transforms them, and where it stores them."""

    name: str
    arn: str
    version: str
    created: float  # seconds since the epoch
    stream_arn: str
    start: float  # records that arrived earlier are not read; seconds since the epoch
    bucket: str
    prefix: str
    error_prefix: str
    buffer_bytes: int
    buffer_seconds: float
    gzip: bool
    processor: Processor | None

    @property
    def region(self) -> str:
        """The delivery stream's region."""
        return self.arn.split(":")[3]


def has_kinesis_source(description: Mapping[str, Any]) -> bool:
    """Whether a DeliveryStreamDescription reads a Kinesis stream."""
    return "KinesisStreamSourceDescription" in description.get("Source", {})


def read_delivery(description: Mapping[str, Any]) -> DeliverySettings:
    """Read a DeliveryStreamDescription with a Kinesis source.

    AWS's defaults replace numbers that are left out.  CloudFormation on MiniStack keeps numbers as
    text, as in the template.

    Raises:
        UnsupportedDeliveryError: the destination is not S3, or a setting is not applied here.
    """
    name = description["DeliveryStreamName"]
    source = description["Source"]["KinesisStreamSourceDescription"]
    destinations = description.get("Destinations", [])
    if len(destinations) != 1 or "ExtendedS3DestinationDescription" not in destinations[0]:
        raise UnsupportedDeliveryError(f"delivery stream {name} has a destination other than S3")
    target = destinations[0]["ExtendedS3DestinationDescription"]
    for setting in ("DataFormatConversionConfiguration", "DynamicPartitioningConfiguration"):
        if _is_enabled(target.get(setting)):
            raise UnsupportedDeliveryError(f"delivery stream {name} sets {setting}")
    if target.get("S3BackupMode", "Disabled") != "Disabled":
        raise UnsupportedDeliveryError(f"delivery stream {name} sets S3BackupMode")
    compression = target.get("CompressionFormat", "UNCOMPRESSED")
    if compression not in SUPPORTED_COMPRESSION:
        raise UnsupportedDeliveryError(f"delivery stream {name} sets the compression {compression}")
    prefix, error_prefix = target.get("Prefix", ""), target.get("ErrorOutputPrefix", "")
    for each in (prefix, error_prefix):
        try:
            check_prefix(each)
        except ValueError as error:
            raise UnsupportedDeliveryError(f"delivery stream {name}: {error}") from error
    hints = target.get("BufferingHints", {})
    created = _seconds(description["CreateTimestamp"])
    return DeliverySettings(
        name=name,
        arn=description["DeliveryStreamARN"],
        version=str(description.get("VersionId", "1")),
        created=created,
        stream_arn=source["KinesisStreamARN"],
        start=_seconds(source.get("DeliveryStartTimestamp", created)),
        bucket=target["BucketARN"].rpartition(":")[2],
        prefix=prefix,
        error_prefix=error_prefix,
        buffer_bytes=int(float(hints.get("SizeInMBs", 5)) * MEGABYTE),
        buffer_seconds=float(hints.get("IntervalInSeconds", 300)),
        gzip=compression == "GZIP",
        processor=_processor(name, target.get("ProcessingConfiguration")),
    )


def _processor(name: str, configuration: Mapping[str, Any] | None) -> Processor | None:
    if not _is_enabled(configuration):
        return None
    processors = configuration.get("Processors", []) if configuration else []
    if [each["Type"] for each in processors] != ["Lambda"]:
        raise UnsupportedDeliveryError(f"delivery stream {name} has a processor other than one Lambda function")
    given = {each["ParameterName"]: each["ParameterValue"] for each in processors[0].get("Parameters", [])}
    if unknown := given.keys() - {
        "LambdaArn", "RoleArn", "BufferSizeInMBs", "BufferIntervalInSeconds", "NumberOfRetries"
    }:  # fmt: skip
        raise UnsupportedDeliveryError(f"delivery stream {name} sets {sorted(unknown)[0]} for its processor")
    return Processor(
        function_arn=given["LambdaArn"],
        buffer_bytes=int(float(given.get("BufferSizeInMBs", 1)) * MEGABYTE),
        buffer_seconds=float(given.get("BufferIntervalInSeconds", 60)),
        retries=int(given.get("NumberOfRetries", 3)),
    )


def _is_enabled(configuration: Mapping[str, Any] | None) -> bool:
    return configuration is not None and str(configuration.get("Enabled", False)).lower() == "true"


def _seconds(moment: datetime | float) -> float:
    return moment.timestamp() if isinstance(moment, datetime) else float(moment)
