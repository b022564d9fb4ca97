"""Records whose answer was lost: the archive says which of them arrived."""

import base64

import msgspec
import pytest

from include.contracts.archive import ArchivedRecord
from include.generator.manifest import ManifestRecord
from include.local.demo.acceptance_report.stores import arrived

pytestmark = pytest.mark.unit

LOST = ManifestRecord(
    stream="TruckTelemetry",
    kind="valid",
    malformed_kind=None,
    shape="flat",
    late=False,
    out_of_order=False,
    key=("TRK001", "2025-03-17T15:35:54.597252"),
    payload=b"1",
    shard_id="",
    sequence_number="",
    sent_at="2025-03-17T15:35:55.000000",
)
ANSWERED = msgspec.structs.replace(LOST, shard_id="shard", sequence_number="7")


def archive(*records: tuple[str, bytes]) -> dict[tuple[str, str], ArchivedRecord]:
    time = "2025-03-17T15:35:55.000000"
    return {
        ("shard", number): ArchivedRecord("TruckTelemetry", "shard", number, time, "", base64.b64encode(data).decode())
        for number, data in records
    }


def test_one_that_arrived_gets_its_place():
    (found,) = arrived([LOST], [], archive(("5", b"1"), ("6", b"another")))
    assert found == msgspec.structs.replace(LOST, shard_id="shard", sequence_number="5")


def test_one_that_did_not_arrive_was_not_sent():
    assert arrived([LOST, LOST], [ANSWERED], archive(("7", b"1"))) == []


def test_one_that_was_sent_again_is_a_duplicate():
    (found,) = arrived([LOST], [ANSWERED], archive(("5", b"1"), ("7", b"1")))
    assert (found.kind, found.sequence_number) == ("duplicate", "5")


def test_of_two_that_arrived_one_is_a_duplicate():
    found = arrived([LOST, LOST], [], archive(("5", b"1"), ("6", b"1")))
    assert sorted(each.kind for each in found) == ["duplicate", "valid"]


def test_a_malformed_one_stays_malformed():
    lost, answered = (msgspec.structs.replace(each, kind="malformed") for each in (LOST, ANSWERED))
    (found,) = arrived([lost], [answered], archive(("5", b"1"), ("7", b"1")))
    assert found.kind == "malformed"
