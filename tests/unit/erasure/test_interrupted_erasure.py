"""An erasure that is killed, meets other writers, or loses its connection still erases, and loses nothing."""

import io
import json
import sys
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Any

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

from include import names
from include.contracts.archive import decode_line
from include.erasure import erasure_report
from include.s3_objects import ConflictError
from tests.fixtures.erasure_stores import CUT_OFF, OURS, THEIRS, KilledError, Watched, kill_after_write

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("killed_at", range(1, 7))
def test_a_run_killed_after_any_write_and_repeated_ends_the_same(cloud, killed_at, monkeypatch):
    # One object after the other, so each number is one moment.
    monkeypatch.setattr(sys.modules["include.erasure.eraser"], "S3_WORKERS", 1)
    rewritten, theirs = cloud.archive("both", OURS, THEIRS), cloud.land("theirs", "TRK002")
    cloud.quarantine(1, CUT_OFF)
    cloud.land("ours", "TRK001")
    cloud.state("TRK001", "TRK002")
    with pytest.raises(KilledError):
        cloud.erase(s3=Watched(cloud.s3, after=kill_after_write(killed_at)))
    assert cloud.states() == {"TRK001", "TRK002"}
    assert cloud.erase().is_clean
    assert sorted(key for key, _ in cloud.versions()) == [rewritten, theirs]
    assert [decode_line(line).payload for line in cloud.lines(rewritten)] == [THEIRS]
    assert cloud.states() == {"TRK002"}
    assert cloud.erase(dry_run=True).found == 0


def test_what_another_writer_stores_meanwhile_is_kept_and_erased_in_the_next_pass(cloud):
    key = cloud.land("both", "TRK001", "TRK002")

    def write(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object" and not changed:
            changed.append(cloud.land("both", "TRK001", "TRK002", "TRK003"))

    changed: list[str] = []
    summary = cloud.erase(s3=Watched(cloud.s3, before=write))
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002", "TRK003"]
    assert len(cloud.versions()) == 1
    assert (summary.is_clean, summary.passes) == (True, 3)


def test_what_another_writer_stores_where_nothing_would_be_left_is_not_hidden(cloud):
    key = cloud.land("ours", "TRK001")

    def write(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "delete_object" and not changed:
            changed.append(cloud.land("ours", "TRK002"))

    changed: list[str] = []
    assert cloud.erase(s3=Watched(cloud.s3, before=write)).is_clean
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002"]
    assert len(cloud.versions()) == 1


def test_a_pass_reads_from_the_start_of_the_pass_before_not_from_its_end(cloud, now: datetime):
    cloud.land("first", "TRK001")

    def write(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "get_object" and not stored:
            stored.append(cloud.quarantine(1, OURS))

    stored: list[str] = []
    # The run and its first pass begin now; a pass takes an hour.
    clock = chain([now], (now + timedelta(hours=hour) for hour in count()))
    assert cloud.erase(s3=Watched(cloud.s3, after=write), clock=lambda: next(clock)).is_clean
    assert cloud.versions() == {}


def test_the_same_bytes_stored_again_meanwhile_are_found_in_the_next_pass(cloud):
    """A redelivered batch has the ETag of the version that was read, so the condition holds."""
    key = cloud.land("both", "TRK001", "TRK002")

    def write(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object" and not changed:
            changed.append(cloud.land("both", "TRK001", "TRK002"))

    changed: list[str] = []
    assert cloud.erase(s3=Watched(cloud.s3, before=write)).is_clean
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002"]
    assert len(cloud.versions()) == 1


def test_a_quarantine_object_that_a_replay_moves_meanwhile_is_erased_where_it_went(cloud):
    key = cloud.quarantine(1, OURS)

    def move(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "delete_object" and not moved:
            moved.append(cloud.quarantine(1, OURS, prefix=names.RESOLVED_PREFIX))
            cloud.s3.delete_object(Bucket=cloud.bucket, Key=key)

    moved: list[str] = []
    assert cloud.erase(s3=Watched(cloud.s3, before=move)).is_clean
    assert cloud.versions() == {}


def test_a_refusal_while_another_writer_fails_is_tried_again(cloud):
    key = cloud.land("both", "TRK001", "TRK002")
    refusals = iter(["ConditionalRequestConflict", "PreconditionFailed"])

    def refuse(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object" and (code := next(refusals, None)):
            raise ClientError({"Error": {"Code": code}}, "PutObject")

    assert cloud.erase(s3=Watched(cloud.s3, before=refuse)).is_clean
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002"]


def test_refusals_without_end_are_an_error_and_nothing_is_lost(cloud):
    key = cloud.land("both", "TRK001", "TRK002")

    def refuse(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object":
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")

    with pytest.raises(ConflictError, match="both"):
        cloud.erase(s3=Watched(cloud.s3, before=refuse))
    assert len(cloud.lines(key)) == 2


def test_a_lost_answer_to_a_write_that_happened_loses_nothing(cloud):
    """boto3 repeats the request, and S3 answers that the condition no longer holds."""
    key = cloud.land("both", "TRK001", "TRK002")

    def repeat(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object" and arguments["Key"] == key:
            arguments["Body"].seek(0)
            cloud.s3.put_object(**arguments | {"Body": arguments["Body"].read()})

    assert cloud.erase(s3=Watched(cloud.s3, before=repeat)).is_clean
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002"]
    assert len(cloud.versions()) == 1


def test_a_truck_that_keeps_sending_is_reported_and_is_a_failure(cloud):
    number = 0

    def send(operation: str, arguments: dict[str, Any]) -> None:
        nonlocal number
        if operation == "get_object":
            number += 1
            cloud.land(f"new-{number}", "TRK001")

    cloud.land("first", "TRK001")
    summary = cloud.erase(s3=Watched(cloud.s3, after=send))
    assert not summary.is_clean
    assert summary.failed
    assert "does it still send?" in erasure_report(summary)


class BrokenBody(io.BytesIO):
    def read(self, *size: Any) -> bytes:
        raise ResponseStreamingError(error="the connection was cut")


def test_a_broken_download_is_started_again(cloud, monkeypatch):
    key = cloud.land("both", "TRK001", "TRK002")
    download = cloud.s3.get_object
    breaks = iter([True, True])
    watched = Watched(cloud.s3)
    watched.get_object = lambda **which: {"Body": BrokenBody()} if next(breaks, False) else download(**which)
    assert cloud.erase(s3=watched).is_clean
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002"]


def test_a_download_that_always_breaks_is_an_error(cloud):
    cloud.land("both", "TRK001", "TRK002")
    watched = Watched(cloud.s3)
    watched.get_object = lambda **which: {"Body": BrokenBody()}
    with pytest.raises(ResponseStreamingError):
        cloud.erase(s3=watched)
