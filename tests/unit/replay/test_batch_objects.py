"""A batch of rejected records is one object: replay counts its records, unpacks it, and replays them one by one."""

from __future__ import annotations

import json

import pytest

from include import names
from include.contracts.quarantine import decode_all
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


def test_a_limit_counts_records_and_unpacks_no_later_batch(cloud):
    cloud.pack(cloud.put(1), cloud.put(2))
    later = cloud.pack(*(cloud.put(n, arrival="2026-11-22T15:30:00.250000") for n in (3, 4)))
    summary = cloud.replay(limit=1)
    assert (summary.total, summary.limited, summary.outcomes) == (1, True, {"resolved": 1})
    # Read for the limit, it may be unpacked; nothing of it is lost.
    assert len(keys(cloud, QUARANTINE)) in (2, 3)
    assert later not in keys(cloud, RESOLVED)


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
