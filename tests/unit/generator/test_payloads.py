import random
from datetime import UTC, datetime, timedelta

import pytest

from include.contracts import ContractError, decode_click, decode_reading
from include.generator import payloads
from include.generator.catalogue import items
from include.generator.trucks import FleetSimulation

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TIME = "2026-11-21T23:59:59.123456"
VALUES = FleetSimulation(1, 1, 1_790_000_000_000_000).reading(0, 1_790_000_000_000_000)[1]

EVENTS = {
    "click": (payloads.click_document(items(1)[0], TIME, 3), payloads.CLICK_FIELDS, decode_click),
    "flat_upper": (payloads.flat_document("TRK001", TIME, VALUES, upper=True), payloads.READING_FIELDS, decode_reading),
    "flat_lower": (
        payloads.flat_document("TRK001", TIME, VALUES, upper=False),
        payloads.READING_FIELDS,
        decode_reading,
    ),
    "nested": (payloads.nested_document("TRK001", TIME, VALUES), payloads.READING_FIELDS, decode_reading),
}

# What the contract says of each kind.
REASONS = {
    "truncated_json": {"not_json"},
    "not_json": {"not_json"},
    "wrong_type": {"wrong_type"},
    "out_of_range": {"out_of_range"},
    "nan": {"out_of_range", "wrong_type"},
    "missing_field": {"missing"},
    "empty": {"not_json"},
    "bad_utf8": {"not_json"},
    "deep_nesting": {"not_json"},
    "not_an_object": {"not_an_object"},
    "bad_time": {"bad_time"},
    "in_future": {"in_future"},
    "megabyte_noise": {"not_json"},
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("kind", payloads.MALFORMED)
def test_malformed_payload_is_what_its_kind_says_now_and_when_replayed_years_later(kind, event):
    document, fields, decode = EVENTS[event]
    for seed in range(3 if kind == "megabyte_noise" else 40):
        data = payloads.malformed(kind, document, fields, "TRK001", random.Random(seed))
        for now in (NOW, NOW + timedelta(days=15 * 365)):
            with pytest.raises(ContractError) as caught:
                decode(data, now=now)
            assert caught.value.reason in REASONS[kind]


@pytest.mark.parametrize("event", EVENTS)
def test_unbroken_payload_is_valid(event):
    document, _fields, decode = EVENTS[event]
    assert decode(payloads.encode(document), now=NOW)


def test_the_three_shapes_of_a_reading_are_the_same_reading():
    readings = {EVENTS[event][2](payloads.encode(EVENTS[event][0]), now=NOW) for event in EVENTS if event != "click"}
    assert len(readings) == 1
