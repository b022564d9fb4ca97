"""Aggregated records: taken apart when they are in order, rejected whole when they are not."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.contracts import ContractError, aggregates, decode_click, decode_reading
from include.contracts.times import parse
from include.generator.aggregates import bytes_field, number_field, sealed
from tests.fixtures.aggregates import aggregate, broken_aggregates

pytestmark = pytest.mark.unit

NOW = parse("2026-11-22T14:30:00.250000")
READING = b'{"truck_id": "TRK001", "timestamp": "2026-11-22T14:29:59"}'


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=20))
def test_an_aggregate_has_the_records_it_was_made_of(payloads):
    assert aggregates.user_records(aggregate(payloads)) == [
        (f"key-{number}", payload) for number, payload in enumerate(payloads)
    ]


def test_records_that_share_a_partition_key_and_have_hash_keys_are_in_order_too():
    sent = aggregate([b"1", b"2", b""], key="T" * 256, hash_keys=["0", str(2**128 - 1)])
    assert aggregates.user_records(sent) == [("T" * 256, b"1"), ("T" * 256, b"2"), ("T" * 256, b"")]


def test_a_megabyte_of_records_is_taken_apart():
    payloads = [b"%06d" % number + READING for number in range(14_000)]
    assert [record.payload for record in aggregates.user_records(aggregate(payloads, key="k"))] == payloads


def test_tags_and_fields_that_are_not_known_are_ignored():
    tag = bytes_field(4, bytes_field(1, b"colour") + bytes_field(2, b"red"))
    record = number_field(1, 0) + bytes_field(3, READING) + tag + number_field(9, 1)
    message = bytes_field(1, b"key") + bytes_field(3, record) + bytes_field(8, b"later")
    assert aggregates.user_records(sealed(message)) == [("key", READING)]


@pytest.mark.parametrize("broken", broken_aggregates(READING).values(), ids=broken_aggregates(READING))
def test_a_broken_aggregate_is_rejected_whole_with_its_own_reason(broken):
    with pytest.raises(ContractError) as found:
        aggregates.user_records(broken)
    assert (found.value.reason, found.value.field) == ("broken_aggregate", None)
    assert "aggregated record (KPL)" in found.value.rule
    for decode in (decode_reading, decode_click):
        with pytest.raises(ContractError) as rejected:
            decode(broken, now=NOW)
        assert str(rejected.value) == str(found.value)


def test_an_aggregate_in_an_aggregate_is_rejected_by_itself():
    (_, inner), (_, reading) = aggregates.user_records(aggregate([aggregate([READING]), READING]))
    assert decode_reading(reading, now=NOW).truck_id == "TRK001"
    with pytest.raises(ContractError, match=r"broken_aggregate.*not inside another one"):
        decode_reading(inner, now=NOW)


def test_protobuf_is_imported_with_the_first_aggregate_only():
    check = (
        "import sys, lambdas.common.batch as batch\n"
        "assert not any(name.startswith('google') for name in sys.modules)\n"
        "from include.contracts import aggregates\n"
        "aggregates.user_records(bytes.fromhex(sys.argv[1]))\n"
        "assert 'google.protobuf' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", check, aggregate([READING]).hex()], check=True)
