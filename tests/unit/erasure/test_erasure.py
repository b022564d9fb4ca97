"""Erasing a truck from the bucket and the table of states."""

import gzip
import io
import json
import re
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain, count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ResponseStreamingError

from include import names
from include.aws_clients import StoreClients
from include.contracts.archive import decode_line
from include.erasure import erasure_report
from include.erasure.__main__ import main
from include.s3_objects import ConflictError

pytestmark = pytest.mark.unit

DOCS = Path(__file__).parents[3] / "docs"
OURS = b'{"truck_id": "TRK001", "timestamp": "2026-11-22T14:00:00"}'
THEIRS = b'{"TRUCK_ID": "TRK002", "TIMESTAMP": "2026-11-22T14:00:00"}'
CUT_OFF = b'{"truck_id": "TRK001", "timest'
NOBODYS = b"{"


class KilledError(BaseException):
    """As kill -9: nothing catches it."""


class Watched:
    """A client that calls ``before(operation, arguments)`` and ``after(…)`` around each operation."""

    def __init__(
        self, client: Any, before: Callable[..., None] | None = None, after: Callable[..., None] | None = None
    ):
        self._client = client
        self._before, self._after = before, after

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)
        if name == "get_paginator":
            return operation

        def call(**arguments: Any) -> Any:
            if self._before:
                self._before(name, arguments)
            answer = operation(**arguments)
            if self._after:
                self._after(name, arguments)
            return answer

        return call


def fill(cloud: Any) -> dict[str, str]:
    """Every store holds records of our truck, of another one, of both, and of nobody."""
    keys = {
        "landed_both": cloud.land("both", "TRK002", "TRK001", "TRK003", "TRK001"),
        "landed_ours": cloud.land("ours", "TRK001"),
        "landed_theirs": cloud.land("theirs", "TRK002", "TRK0011"),
        "archive_both": cloud.archive("both", THEIRS, OURS, CUT_OFF, NOBODYS),
        "archive_ours": cloud.archive("ours", OURS),
        "archive_by_key": cloud.archive("key", NOBODYS, partition_key="TRK001"),
        "archive_clicks": cloud.archive("clicks", b'{"Item_ID": "TRK001"}', stream=names.CLICK_STREAM),
        "quarantine_ours": cloud.quarantine(1, CUT_OFF),
        "quarantine_theirs": cloud.quarantine(2, THEIRS),
        "quarantine_nobodys": cloud.quarantine(3, NOBODYS),
        "resolved_ours": cloud.quarantine(4, OURS, prefix=names.RESOLVED_PREFIX),
        "resolved_theirs": cloud.quarantine(5, THEIRS, prefix=names.RESOLVED_PREFIX),
        "abandoned_both": cloud.abandon("both", OURS, THEIRS),
        "abandoned_ours": cloud.abandon("ours", OURS, as_text=True),
        "abandoned_clicks": cloud.abandon("clicks", OURS, stream=names.CLICK_STREAM),
        "errors_both": cloud.archive_error("both", OURS, THEIRS, compressed=False),
        "errors_gzipped": cloud.archive_error("gzipped.gz", THEIRS, OURS, compressed=True),
    }
    cloud.state("TRK001", "TRK002")
    return keys


ENDED = {
    "landed_ours",
    "archive_ours",
    "archive_by_key",
    "quarantine_ours",
    "resolved_ours",
    "abandoned_ours",
}
REWRITTEN = {"landed_both", "archive_both", "abandoned_both", "errors_both", "errors_gzipped"}


def test_of_the_truck_nothing_is_left_and_of_others_everything(cloud):
    keys = fill(cloud)
    before = {name: cloud.body(key) for name, key in keys.items()}
    summary = cloud.erase()

    assert cloud.keys() == {key for name, key in keys.items() if name not in ENDED}
    assert cloud.states() == {"TRK002"}
    for name in keys.keys() - ENDED - REWRITTEN:
        assert cloud.body(keys[name]) == before[name], name
    kept = [line for line in gzip.decompress(before["landed_both"]).splitlines() if b"TRK001" not in line]
    assert cloud.lines(keys["landed_both"]) == kept
    records = [decode_line(line) for line in cloud.lines(keys["archive_both"])]
    assert [record.payload for record in records] == [THEIRS, NOBODYS]
    # Their own lines, byte for byte: first and last of the four.
    assert cloud.lines(keys["archive_both"]) == gzip.decompress(before["archive_both"]).splitlines()[::3]
    (batch,) = json.loads(cloud.body(keys["abandoned_both"]))["payload"]["Records"]
    assert batch == json.loads(before["abandoned_both"])["payload"]["Records"][1]
    assert cloud.body(keys["errors_both"]) == before["errors_both"].splitlines(keepends=True)[1]
    assert cloud.lines(keys["errors_gzipped"]) == gzip.decompress(before["errors_gzipped"]).splitlines()[:1]

    assert summary.is_clean
    assert not summary.failed
    assert {prefix.partition("/")[0]: store.records for prefix, store in summary.stores.items()} == {
        "aws": 2,
        "quarantine": 1,
        "quarantine-resolved": 1,
        "raw-archive": 4,
        "raw-archive-errors": 2,
        "telemetry-data": 3,
    }
    assert sum(store.unattributable for store in summary.stores.values()) == 2
    assert sum(store.rewritten for store in summary.stores.values()) == len(REWRITTEN)
    assert sum(store.deleted for store in summary.stores.values()) == len(ENDED)


def test_no_version_of_any_object_holds_the_truck(cloud):
    fill(cloud)
    # As a retried batch is, and a quarantine object after a replay.
    key = cloud.land("both", "TRK002", "TRK001", "TRK003", "TRK001")
    quarantined = cloud.quarantine(7, OURS)
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=quarantined)
    theirs = cloud.quarantine(8, THEIRS)
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=theirs)
    cloud.erase()
    left = cloud.versions()
    for (each, _), body in left.items():
        content = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
        assert b'"TRK001"' not in content or names.CLICK_STREAM in each or each.endswith("clicks"), each
    assert len([each for each, _ in left if each == key]) == 1
    # What is only outdated stays as long as it would have.
    assert len([each for each, _ in left if each == theirs]) == 1
    assert quarantined not in {each for each, _ in left}


def test_a_second_run_finds_nothing_and_changes_nothing(cloud):
    fill(cloud)
    cloud.erase()
    before = cloud.versions()
    summary = cloud.erase()
    assert (summary.found, summary.passes, summary.is_clean) == (0, 1, True)
    assert cloud.versions() == before


def test_a_dry_run_counts_the_same_and_changes_nothing(cloud):
    fill(cloud)
    before, states = cloud.versions(), cloud.states()
    counted = cloud.erase(dry_run=True)
    assert (cloud.versions(), cloud.states()) == (before, states)
    assert not counted.is_clean
    assert not counted.failed
    erased = cloud.erase()
    assert [(store.records, store.unattributable) for store in counted.stores.values()] == [
        (store.records, store.unattributable) for store in erased.stores.values()
    ]
    assert counted.state is erased.state is True
    assert cloud.erase(dry_run=True).found == 0


def test_what_else_s3_knows_of_a_rewritten_object_stays(cloud):
    archived = cloud.archive("both", OURS, THEIRS)
    landed = f"{names.LANDING_PREFIX}x.json.gz"
    cloud.put(
        landed,
        gzip.compress(OURS + b"\n" + THEIRS.lower() + b"\n"),
        ContentType="application/gzip",
        Metadata={"a": "b"},
    )
    cloud.erase()
    head = cloud.s3.head_object(Bucket=cloud.bucket, Key=landed)
    assert (head["ContentType"], head["Metadata"]) == ("application/gzip", {"a": "b"})
    assert cloud.s3.head_object(Bucket=cloud.bucket, Key=archived)["StorageClass"] == "GLACIER_IR"


def test_the_same_lines_give_the_bytes_that_the_function_would_have_written(cloud):
    key = cloud.land("both", "TRK002", "TRK001")
    theirs = cloud.body(key)
    cloud.erase("TRK002")
    first = cloud.body(key)
    assert gzip.decompress(first) == gzip.decompress(theirs).splitlines(keepends=True)[1]
    assert first[4:8] == bytes(4)


@pytest.mark.parametrize("killed_at", range(1, 7))
def test_killed_after_any_write_and_run_again_it_ends_the_same(cloud, killed_at, monkeypatch):
    # One object after the other, so that each number is one moment.
    monkeypatch.setattr(sys.modules["include.erasure.eraser"], "S3_WORKERS", 1)
    rewritten, theirs = cloud.archive("both", OURS, THEIRS), cloud.land("theirs", "TRK002")
    cloud.quarantine(1, CUT_OFF)
    cloud.land("ours", "TRK001")
    cloud.state("TRK001", "TRK002")
    writes = 0

    def kill(operation: str, arguments: dict[str, Any]) -> None:
        nonlocal writes
        writes += operation in ("put_object", "delete_object")
        if writes == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        cloud.erase(s3=Watched(cloud.s3, after=kill))
    assert cloud.states() == {"TRK001", "TRK002"}
    assert cloud.erase().is_clean
    assert sorted(key for key, _ in cloud.versions()) == [rewritten, theirs]
    assert [decode_line(line).payload for line in cloud.lines(rewritten)] == [THEIRS]
    assert cloud.states() == {"TRK002"}
    assert cloud.erase(dry_run=True).found == 0


def test_what_another_writer_stores_meanwhile_is_kept_and_erased_in_the_next_look(cloud):
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


def test_a_look_begins_where_the_one_before_began_not_where_it_ended(cloud, now: datetime):
    cloud.land("first", "TRK001")

    def write(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "get_object" and not stored:
            stored.append(cloud.quarantine(1, OURS))

    stored: list[str] = []
    # The run and its first look begin now; a look takes an hour.
    clock = chain([now], (now + timedelta(hours=hour) for hour in count()))
    assert cloud.erase(s3=Watched(cloud.s3, after=write), clock=lambda: next(clock)).is_clean
    assert cloud.versions() == {}


def test_the_same_bytes_stored_again_meanwhile_are_found_in_the_next_look(cloud):
    """The redelivered batch: its ETag is that of what was read, so the condition holds."""
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
    """boto3 repeats the request, and is told that the condition does not hold any more."""
    key = cloud.land("both", "TRK001", "TRK002")

    def repeat(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object" and arguments["Key"] == key:
            arguments["Body"].seek(0)
            cloud.s3.put_object(**arguments | {"Body": arguments["Body"].read()})

    assert cloud.erase(s3=Watched(cloud.s3, before=repeat)).is_clean
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002"]
    assert len(cloud.versions()) == 1


def test_what_keeps_coming_is_said_and_is_a_failure(cloud):
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


def test_what_cannot_be_read_stays_and_is_named(cloud):
    damaged = f"{names.LANDING_PREFIX}damaged.json.gz"
    cloud.put(damaged, gzip.compress(OURS * 50)[:-20])
    foreign = f"{names.QUARANTINE_PREFIX}{names.TRUCK_STREAM}/notes.txt"
    cloud.put(foreign, b"TRK001")
    batch = f"{names.ON_FAILURE_PREFIX}mapping/shardId-0/notes"
    cloud.put(batch, b'{"payload": {"Records": [{}]}}')
    summary = cloud.erase()
    assert set(summary.unreadable) == cloud.keys() == {damaged, foreign, batch}
    assert summary.failed
    assert sum(f"stays: {key}" in erasure_report(summary) for key in (damaged, foreign, batch)) == 3


def test_a_line_that_is_no_reading_stays(cloud):
    key = f"{names.LANDING_PREFIX}x.json.gz"
    cloud.put(key, gzip.compress(b'{"truck_id": "TRK001"}\nno json\n{"truck_id": 5}\n\xff\n'))
    summary = cloud.erase()
    assert cloud.lines(key) == [b"no json", b'{"truck_id": 5}', b"\xff"]
    assert summary.stores[names.LANDING_PREFIX].unattributable == 3


def test_an_object_larger_than_what_is_kept_in_memory(cloud, monkeypatch):
    monkeypatch.setattr(sys.modules["include.erasure.versions"], "SPOOLED_BYTES", 100)
    key = cloud.land("large", *["TRK001", "TRK002"] * 1000)
    cloud.erase()
    assert [json.loads(line)["vehicle_speed"] for line in cloud.lines(key)] == list(range(1, 2000, 2))


class BrokenBody(io.BytesIO):
    def read(self, *size: Any) -> bytes:
        raise ResponseStreamingError(error="the connection was cut")


def test_a_download_that_breaks_off_is_begun_again(cloud, monkeypatch):
    key = cloud.land("both", "TRK001", "TRK002")
    download = cloud.s3.get_object
    breaks = iter([True, True])
    watched = Watched(cloud.s3)
    watched.get_object = lambda **which: {"Body": BrokenBody()} if next(breaks, False) else download(**which)
    assert cloud.erase(s3=watched).is_clean
    assert [json.loads(line)["truck_id"] for line in cloud.lines(key)] == ["TRK002"]


def test_a_download_that_always_breaks_off_is_an_error(cloud):
    cloud.land("both", "TRK001", "TRK002")
    watched = Watched(cloud.s3)
    watched.get_object = lambda **which: {"Body": BrokenBody()}
    with pytest.raises(ResponseStreamingError):
        cloud.erase(s3=watched)


def test_since_leaves_out_what_was_stored_before(cloud, now: datetime):
    cloud.land("ours", "TRK001")
    assert cloud.erase(dry_run=True, since=now).found == 1
    assert cloud.erase(dry_run=True, since=now + timedelta(hours=1)).found == 0


def test_every_version_is_read_once_in_a_look(cloud):
    fill(cloud)
    reads: list[tuple[str, str]] = []

    def note(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "get_object":
            reads.append((arguments["Key"], arguments["VersionId"]))

    cloud.erase(s3=Watched(cloud.s3, before=note), dry_run=True)
    assert len(reads) == len(set(reads)) == len(cloud.versions()) - 1  # The click stream's archive is not looked at.


def test_a_bucket_without_versions_is_erased_as_well(cloud):
    cloud.s3.put_bucket_versioning(Bucket=cloud.bucket, VersioningConfiguration={"Status": "Suspended"})
    cloud.s3.put_object(Bucket=cloud.bucket, Key=f"{names.LANDING_PREFIX}x", Body=OURS + b"\n" + b'{"truck_id": "T"}\n')
    cloud.s3.put_object(Bucket=cloud.bucket, Key=f"{names.LANDING_PREFIX}y", Body=OURS + b"\n")
    cloud.erase()
    assert list(cloud.versions().values()) == [b'{"truck_id": "T"}\n']


@pytest.mark.parametrize("name", ["", "x" * 65])
def test_a_name_that_no_truck_can_have_is_refused(cloud, name):
    with pytest.raises(ValueError, match="no truck's id"):
        cloud.erase(name)


# --- Rights ----------------------------------------------------------------------------------------------------------

ACTIONS = {
    ("ListObjectVersions", False): "s3:ListBucketVersions",
    ("GetObject", True): "s3:GetObjectVersion",
    ("HeadObject", False): "s3:GetObject",
    ("PutObject", False): "s3:PutObject",
    ("DeleteObject", False): "s3:DeleteObject",
    ("DeleteObject", True): "s3:DeleteObjectVersion",
    ("GetItem", False): "dynamodb:GetItem",
    ("DeleteItem", False): "dynamodb:DeleteItem",
}
# Asked for so that S3 says "no such key", and for nothing else.
NOT_CALLED = {"s3:ListBucket"}


def test_the_documented_rights_are_those_that_are_used(cloud):
    fill(cloud)
    used: set[str] = set()
    places: set[str] = set()

    def note(model: Any, params: dict[str, Any], **_: Any) -> None:
        used.add(ACTIONS[model.name, "VersionId" in params])
        places.add(params.get("Key") if "Bucket" in params and "Key" in params else params.get("Prefix"))

    for client in (cloud.s3, cloud.dynamodb):
        client.meta.events.register("before-parameter-build", note)
    refusals = iter([True])

    def refuse(operation: str, arguments: dict[str, Any]) -> None:
        if operation == "put_object" and next(refusals, False):
            raise ClientError({"Error": {"Code": "ConditionalRequestConflict"}}, "PutObject")

    cloud.erase(s3=Watched(cloud.s3, before=refuse))
    cloud.erase(dry_run=True)

    rights = (DOCS / "erasure.md").read_text().partition("## Rights")[2].partition("snowflake_erasure")[0]
    assert used | NOT_CALLED == set(re.findall(r"`((?:s3|dynamodb):\w+)`", rights))
    prefixes = re.findall(r"`([\w/-]+/)`", rights)
    assert len(prefixes) == 6
    assert [place for place in places if place and not place.startswith(tuple(prefixes))] == []


# --- The command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def command(cloud, monkeypatch):
    monkeypatch.setenv("CTD_TELEMETRY_BUCKET", cloud.bucket)
    clients = StoreClients(cloud.s3, cloud.dynamodb)
    monkeypatch.setattr(sys.modules["include.erasure.__main__"], "store_clients", lambda: clients)
    return main


def test_the_command_counts_unless_told_to_execute(cloud, command, capsys):
    key = cloud.land("both", "TRK001", "TRK002")
    assert command(["--truck", "TRK001"]) == 0
    out = capsys.readouterr().out
    assert "telemetry-data/: 1 records of TRK001" in out
    assert "Nothing was changed" in out
    assert len(cloud.lines(key)) == 2
    assert command(["--truck", "TRK001", "--dry-run"]) == 0
    assert len(cloud.lines(key)) == 2
    assert command(["--truck", "TRK001", "--execute", "TRK001"]) == 0
    assert "Pass 2 found nothing" in capsys.readouterr().out
    assert len(cloud.lines(key)) == 1


def test_the_command_wants_the_id_twice(cloud, command, capsys):
    cloud.land("ours", "TRK001")
    with pytest.raises(SystemExit) as stopped:
        command(["--truck", "TRK001", "--execute", "TRK002"])
    assert stopped.value.code == 2
    assert "not confirmed" in capsys.readouterr().err
    assert len(cloud.keys()) == 1


def test_the_command_says_by_its_exit_code_that_something_is_left(cloud, command):
    cloud.put(f"{names.LANDING_PREFIX}damaged", b"\x1f\x8bdamaged")
    assert command(["--truck", "TRK001", "--execute", "TRK001"]) == 1


def test_a_bucket_that_is_not_there_is_an_error(cloud, command, capsys):
    assert command(["--truck", "TRK001", "--bucket", "another-bucket"]) == 1
    assert "NoSuchBucket" in capsys.readouterr().err
