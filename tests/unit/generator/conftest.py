"""Kinesis by moto, and a client that behaves as Kinesis does on a bad day."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from include import names


@pytest.fixture(scope="module")
def aws() -> Iterator[Any]:
    """moto, and a Kinesis client of it: making one takes longer than most tests."""
    with pytest.MonkeyPatch.context() as environment, mock_aws():
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        environment.delenv("AWS_ENDPOINT_URL", raising=False)
        yield boto3.client("kinesis")


@pytest.fixture
def kinesis(aws) -> Iterator[Any]:
    """A client with both streams, empty."""
    for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
        aws.create_stream(StreamName=stream, ShardCount=2)
    yield aws
    for stream in (names.CLICK_STREAM, names.TRUCK_STREAM):
        aws.delete_stream(StreamName=stream)


@pytest.fixture
def stored(kinesis) -> Callable[[str], dict[tuple[str, str], bytes]]:
    """What a stream holds: (shard, sequence number) -> bytes."""

    def read(stream: str) -> dict[tuple[str, str], bytes]:
        found = {}
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            while answer := kinesis.get_records(ShardIterator=iterator, Limit=10_000):
                found |= {(shard["ShardId"], record["SequenceNumber"]): record["Data"] for record in answer["Records"]}
                if not answer["Records"]:
                    break
                iterator = answer["NextShardIterator"]
        return found

    return read


class Unreliable:
    """A Kinesis client whose calls go wrong as a script says.

    Each entry of ``script`` is for one call: None lets it through; an exception is raised instead of it;
    ``("after", exception)`` is raised although it went through; a function of a record's position refuses records.
    When the script is over, all calls go through.
    """

    def __init__(self, client: Any, script: list[Any]) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._client = client
        self._script = list(script)

    def put_records(self, *, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        self.calls.append(Records)
        step = self._script.pop(0) if self._script else None
        if isinstance(step, Exception):
            raise step
        refused = step if callable(step) else lambda _position: False
        taken = [record for position, record in enumerate(Records) if not refused(position)]
        answers = iter(self._client.put_records(StreamName=StreamName, Records=taken)["Records"] if taken else [])
        if isinstance(step, tuple):
            raise step[1]
        results = [
            {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"}
            if refused(position)
            else next(answers)
            for position in range(len(Records))
        ]
        return {"FailedRecordCount": len(Records) - len(taken), "Records": results}


@pytest.fixture
def unreliable(kinesis) -> Callable[[list[Any]], Unreliable]:
    return lambda script: Unreliable(kinesis, script)
