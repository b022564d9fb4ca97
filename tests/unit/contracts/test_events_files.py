"""The real-shaped payloads of tests/events: what must be read, and what must be rejected for which reason."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from include.contracts import METRICS, ContractError, decode_click, decode_reading

pytestmark = pytest.mark.unit

EVENTS = Path(__file__).parents[2] / "events"
NOW = datetime(2025, 3, 17, 15, 36, tzinfo=UTC)
DECODERS = {"click": decode_click, "telemetry": decode_reading}


def _files(pattern: str) -> list:
    paths = sorted(EVENTS.glob(pattern))
    assert paths, f"no event matches {pattern}"
    return [pytest.param(path, id="/".join(path.relative_to(EVENTS).parts)) for path in paths]


@pytest.mark.parametrize("path", _files("*/malformed/*.json"))
def test_malformed_payload_is_rejected_for_its_reason(path):
    """The part of the file's name before ``--`` is the reason."""
    with pytest.raises(ContractError) as caught:
        DECODERS[path.parts[-3]](path.read_bytes(), now=NOW)
    error = caught.value
    assert error.reason == path.name.split("--")[0]
    assert error.rule
    assert error.value is None or 0 < len(error.value) <= 200
    if error.reason not in ("not_json", "not_an_object"):
        assert error.field


@pytest.mark.parametrize("path", _files("telemetry/valid/*.json"))
def test_every_valid_shape_of_one_reading_gives_the_same_reading(path):
    expected = decode_reading((EVENTS / "telemetry/valid/flat_lower_case.json").read_bytes(), now=NOW)
    assert decode_reading(path.read_bytes(), now=NOW) == expected
    assert msgspec.structs.asdict(expected)["environment_pressure"] == 1014.2
    assert None not in msgspec.structs.astuple(expected)


@pytest.mark.parametrize("path", _files("telemetry/sparse/*.json"))
def test_missing_and_null_metrics_are_none(path):
    reading = decode_reading(path.read_bytes(), now=NOW)
    assert reading.truck_id == "TRK001"
    assert reading.event_time == "2025-03-17T15:35:54.597252"
    assert {getattr(reading, metric.name) for metric in METRICS} == {None}
    assert reading.nulled == ()


@pytest.mark.parametrize("path", _files("click/valid/*.json"))
def test_valid_click_is_read(path):
    click = decode_click(path.read_bytes(), now=NOW)
    assert msgspec.structs.asdict(click) == {
        "item_id": "MOB001",
        "item_name": "Mobile Phone",
        "timestamp": "2025-03-17T15:35:54.597252",
        "click_counts": 3,
        "event_id": None,
    }
