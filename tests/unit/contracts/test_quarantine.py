"""The quarantine object: what functions write and replay reads."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.contracts import Envelope
from include.contracts.quarantine import Attempt, Quarantined, batch_objects, decode, decode_all, encode, object_key
from include.contracts.times import to_canonical
from include.replay.replayer import replay_event
from lambdas.common import batch

pytestmark = pytest.mark.unit

ARRIVAL = "2026-11-22T14:30:00.250000"
FIRST, SECOND = (Attempt(f"2026-11-2{day}T00:00:00.000000", "a test", "raised") for day in (3, 4))


def record(payload: bytes = b"\x00\xff", arrival: str = ARRIVAL, key: str = "TRK001") -> Quarantined:
    envelope = Envelope("TruckTelemetry", "shardId-000000000002", "4965", arrival, key)
    return Quarantined(
        reason="missing", field="truck_id", value=None, rule="a rule", envelope=envelope, payload=payload, function="f"
    )


def test_written_and_read_again_it_is_the_same_whatever_its_history():
    assert decode(encode(record())) == record()
    tried = record().tried(FIRST, SECOND)
    assert decode(encode(tried)) == tried


def test_an_object_from_before_there_were_histories_is_read():
    written = json.loads(encode(record()))
    del written["history"]
    assert decode(json.dumps(written).encode()) == record()


def test_an_attempt_is_in_a_history_once_and_in_order_of_time():
    assert record().tried(SECOND).tried(FIRST, SECOND).history == (FIRST, SECOND)


@pytest.mark.parametrize(
    "body", [b'{"reason": "missing"}', encode(record()).replace(b"missing", b"\xb0"), b"[" * 100_000], ids=range(3)
)
def test_what_is_no_quarantine_object_is_refused(body):
    for read in (decode, decode_all):
        with pytest.raises(msgspec.DecodeError):
            read(body)


def test_its_key_is_by_hour_of_arrival_shard_and_sequence_number():
    key = object_key("quarantine/", record().envelope)
    assert key == "quarantine/TruckTelemetry/2026/11/22/14/shardId-000000000002-4965.json"


def test_the_name_of_a_batch_spans_its_numbers_in_whatever_order_they_come():
    numbers = [("10", 0), ("200", 0), ("15", 0), ("200", 3)]
    records = [
        msgspec.structs.replace(
            record(),
            envelope=msgspec.structs.replace(record().envelope, sequence_number=number, sub_sequence_number=sub),
        )
        for number, sub in numbers
    ]
    ((key, body),) = batch_objects("quarantine/", records)
    assert f"shardId-000000000002-10-{records[3].envelope.number}-4-" in key
    assert decode_all(body) == [records[0], records[2], records[1], records[3]]
    assert [*batch_objects("quarantine/", reversed(records))] == [(key, body)]


@given(
    arrival=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    payload=st.binary(max_size=50),
    key=st.text(max_size=20),
)
def test_replayed_a_record_has_its_envelope_and_payload_to_the_microsecond(arrival, payload, key):
    quarantined = record(payload, to_canonical(arrival), key)
    (replayed,) = batch.records(json.loads(json.dumps(replay_event([quarantined], "a test"))))
    assert (replayed.envelope, replayed.payload) == (quarantined.envelope, quarantined.payload)


def test_threads_find_the_types_of_the_structs_resolved():
    # Threads that resolve them at the same time crash in msgspec, about once in thousands of runs.
    check = """
import msgspec
from include.contracts import quarantine
def resolve(annotation):
    raise AssertionError(annotation)
msgspec._utils._forward_ref = resolve
try:
    quarantine.decode(b"{}")
except msgspec.ValidationError:
    assert msgspec.convert([], list[quarantine.Verdict]) == []
"""
    subprocess.run([sys.executable, "-c", check], check=True)
