"""A batch of rejected records is one object: replay counts its records, unpacks it, and replays them one by one."""

from __future__ import annotations

import json
import threading

import pytest

from include import names
from include.contracts.quarantine import decode_all, is_batch
from include.replay.quarantine_store import QuarantineStore

pytestmark = pytest.mark.unit

QUARANTINE, RESOLVED = names.QUARANTINE_PREFIX, names.RESOLVED_PREFIX


def keys(cloud, prefix: str) -> list[str]:
    found = cloud.s3.list_objects_v2(Bucket=cloud.bucket, Prefix=prefix).get("Contents", [])
    return [entry["Key"] for entry in found]


def test_a_dry_run_counts_the_records_and_leaves_the_object(cloud):
    packed = cloud.pack(*(cloud.put(number, reason="missing") for number in range(5)))
    selected = []
    summary = cloud.replay(dry_run=True, on_selected=selected.append)
    assert summary.chosen == {names.CLICK_STREAM: {"missing": 5}}
    assert keys(cloud, "") == [packed]
    assert [record.sequence_number for record in selected] == list("01234")


def test_its_records_are_replayed_one_by_one(cloud, functions):
    singles = [cloud.put(1), cloud.put(2, b"invalid"), cloud.put(3)]
    cloud.pack(*singles)
    summary = cloud.replay()
    assert summary.outcomes == {"resolved": 2, "still_invalid": 1}
    assert keys(cloud, QUARANTINE) == [singles[1]]
    assert [key.removeprefix(RESOLVED) for key in keys(cloud, RESOLVED)] == [
        key.removeprefix(QUARANTINE) for key in (singles[0], singles[2])
    ]


def test_a_batch_without_a_record_of_the_plan_stays_packed(cloud):
    packed = cloud.pack(cloud.put(1, reason="missing"), cloud.put(2, reason="missing"))
    assert cloud.replay(reasons=("not_json",)).total == 0
    assert keys(cloud, "") == [packed]


@pytest.mark.parametrize("hours", [1, 10])
def test_a_limit_counts_records_and_unpacks_only_the_batches_that_it_takes_records_of(cloud, hours):
    packed = [
        cloud.pack(
            *(cloud.put(10 * batch + n, arrival=f"2026-11-22T{batch % hours:02}:30:00.250000") for n in range(3))
        )
        for batch in range(1, 11)
    ]
    earliest = min(packed)

    summary = cloud.replay(limit=1)

    assert (summary.total, summary.limited, summary.outcomes) == (1, True, {"resolved": 1})
    left = keys(cloud, QUARANTINE)
    assert {key for key in left if is_batch(key)} == set(packed) - {earliest}
    assert len([key for key in left if not is_batch(key)]) == 2


def test_a_dry_run_with_a_limit_unpacks_nothing(cloud):
    packed = [cloud.pack(cloud.put(1), cloud.put(2)), cloud.pack(cloud.put(3), cloud.put(4))]
    assert (cloud.replay(limit=1, dry_run=True).total, keys(cloud, "")) == (1, packed)


def test_the_records_of_one_batch_are_unpacked_several_at_a_time(cloud, monkeypatch):
    cloud.pack(*(cloud.put(number) for number in range(10, 14)))
    meeting = threading.Barrier(4, timeout=60)
    put = cloud.s3.put_object

    def put_together(**arguments):
        if arguments["Key"].startswith(QUARANTINE):
            meeting.wait()
        return put(**arguments)

    monkeypatch.setattr(cloud.s3, "put_object", put_together)
    assert cloud.replay().outcomes == {"resolved": 4}


def test_a_damaged_object_of_one_record_is_named_and_the_others_of_its_batch_are_resolved(cloud):
    singles = [cloud.put(number) for number in (100, 101, 102)]
    packed = cloud.pack(*singles)
    damaged = singles[1]
    cloud.s3.put_object(Bucket=cloud.bucket, Key=damaged, Body=b"{")

    assert (cloud.replay(dry_run=True).total, keys(cloud, "")) == (2, sorted([packed, damaged]))
    summary = cloud.replay()

    assert (summary.unreadable, summary.failed) == ([damaged], True)
    assert (summary.total, summary.outcomes) == (2, {"resolved": 2})
    # The batch has the only other copy of the record.
    assert keys(cloud, QUARANTINE) == sorted([packed, damaged])
    cloud.s3.delete_object(Bucket=cloud.bucket, Key=damaged)
    assert cloud.replay().failed is False
    assert keys(cloud, QUARANTINE) == []
    assert len(keys(cloud, RESOLVED)) == 3


def test_a_damaged_object_that_a_limited_replay_has_not_read_is_named(cloud, monkeypatch):
    monkeypatch.setattr("include.replay.selection.PAGE", 1)
    packed = cloud.pack(cloud.put(100), cloud.put(101))
    damaged = cloud.put(100)
    cloud.s3.put_object(Bucket=cloud.bucket, Key=damaged, Body=b"{")
    summary = cloud.replay(limit=1)
    assert (summary.unreadable, summary.outcomes) == ([damaged], {})
    assert packed in keys(cloud, QUARANTINE)


def sent(functions) -> list[str]:
    return [number for _, numbers in functions.calls for number in numbers]


def test_a_verdict_that_is_replayed_on_request_only_counts_before_the_batch_that_says_not_processed(cloud, functions):
    singles = [cloud.put(number) for number in (100, 101, 102)]
    cloud.pack(*singles)
    cloud.put(101, reason="key_conflict")

    assert cloud.replay(dry_run=True).chosen == {names.CLICK_STREAM: {"not_processed": 2}}
    assert cloud.replay().outcomes == {"resolved": 2}

    assert sent(functions) == ["100", "102"]
    assert keys(cloud, QUARANTINE) == [singles[1]]
    assert cloud.replay(reasons=("key_conflict",)).outcomes == {"resolved": 1}


def test_a_verdict_on_request_only_counts_also_if_it_is_in_a_batch_that_stays_packed(cloud, functions):
    judged = cloud.pack(*(cloud.put(number, reason="key_conflict") for number in (101, 103)))
    single = cloud.put(101)
    cloud.put(102)

    assert cloud.replay().outcomes == {"resolved": 1}

    assert sent(functions) == ["102"]
    assert keys(cloud, QUARANTINE) == sorted([judged, single])
    assert cloud.replay(reasons=("key_conflict",)).outcomes == {"resolved": 2}


@pytest.mark.parametrize("judged_alone", [True, False])
def test_a_verdict_on_request_only_counts_also_if_it_comes_after_the_limit(cloud, functions, monkeypatch, judged_alone):
    monkeypatch.setattr("include.replay.selection.PAGE", 1)
    cloud.pack(*(cloud.put(number) for number in (100, 101, 102, 103)))
    conflicts = (101,) if judged_alone else (101, 109)
    found = [cloud.put(number, reason="key_conflict") for number in conflicts]
    if not judged_alone:
        cloud.pack(*found)

    summary = cloud.replay(limit=2)

    assert summary.limited
    assert sent(functions) == ["100"]


def test_the_verdict_is_the_reason_of_a_record_that_another_batch_says_is_not_processed(cloud):
    cloud.pack(cloud.put(1), cloud.put(2))
    cloud.pack(cloud.put(2, reason="missing"), cloud.put(3, reason="missing"))
    assert cloud.replay(dry_run=True).chosen == {names.CLICK_STREAM: {"missing": 2, "not_processed": 1}}


def test_a_record_in_two_batches_is_replayed_once(cloud, functions):
    cloud.pack(cloud.put(1), cloud.put(2), cloud.put(3))
    cloud.pack(cloud.put(2), cloud.put(3), cloud.put(4))
    summary = cloud.replay()
    assert (summary.total, summary.outcomes) == (4, {"resolved": 4})
    assert keys(cloud, QUARANTINE) == []


def test_unpacking_keeps_a_verdict_before_not_processed_and_every_attempt(cloud):
    single = cloud.put(1, b"invalid")
    cloud.replay()
    (tried,) = cloud.objects(QUARANTINE).values()
    abandoned = json.dumps(tried | {"reason": "not_processed"}).encode()
    # The same record, with the verdict of its function, in a batch.
    packed = cloud.pack(cloud.put(1, b"invalid", reason="missing"), cloud.put(2, reason="missing"))
    cloud.s3.put_object(Bucket=cloud.bucket, Key=single, Body=abandoned)

    QuarantineStore(cloud.s3, cloud.bucket).unpack(packed)

    found = cloud.objects(QUARANTINE)
    assert packed not in found
    assert (found[single]["reason"], len(found[single]["history"])) == ("missing", 1)


def test_unpacking_again_after_a_stop_leaves_what_was_unpacked(cloud):
    single, other = cloud.put(1), cloud.put(2)
    before = cloud.objects(QUARANTINE)
    packed = cloud.pack(single, other)
    body = cloud.s3.get_object(Bucket=cloud.bucket, Key=packed)["Body"].read()
    assert len(decode_all(body)) == 2
    store = QuarantineStore(cloud.s3, cloud.bucket)
    store.unpack(packed)
    cloud.s3.put_object(Bucket=cloud.bucket, Key=packed, Body=body)
    store.unpack(packed)
    store.unpack(packed)
    assert cloud.objects(QUARANTINE) == before
