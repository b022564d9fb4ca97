"""The OpenAPI document, held against the contract and the function that it describes."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
import yaml

from include.cloudformation import OPENAPI
from include.contracts import METRICS, Metric, Reason, TelemetryReading
from include.contracts.telemetry import MAX_TRUCK_ID_LENGTH
from lambdas.truck_telemetry_api import logic

pytestmark = pytest.mark.unit

DOCUMENT = yaml.safe_load(OPENAPI.read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]


def described(metric: Metric) -> dict[str, Any]:
    """A metric of the contract as a schema."""
    if metric.kind == "text":
        return {"type": "string", "nullable": True, "minLength": metric.minimum, "maxLength": metric.maximum}
    limits = {"minimum": metric.minimum, "maximum": metric.maximum}
    return {"type": "number", "nullable": True, **limits, "description": metric.unit}


def test_flat_metrics_are_those_of_the_contract_with_their_ranges_and_units():
    assert SCHEMAS["Metrics"]["properties"] == {metric.name: described(metric) for metric in METRICS}


def test_groups_have_the_metrics_of_the_contract():
    groups = {k: v for k, v in SCHEMAS["Reading"]["allOf"][1]["properties"].items() if v["type"] == "object"}

    def leaves(properties: dict[str, Any], path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
        found: dict[tuple[str, ...], Any] = {}
        for name, schema in properties.items():
            nested = schema.get("properties")
            found |= leaves(nested, (*path, name)) if nested else {(*path, name): schema}
        return found

    expected = {metric.nested_path: described(metric) for metric in METRICS if len(metric.nested_path) > 1}
    assert leaves(groups) == expected


def test_a_truck_id_is_as_long_as_the_contract_says():
    info = msgspec.json.schema(TelemetryReading)["$defs"]["TelemetryReading"]["properties"]["truck_id"]
    limits = {"type": "string", "minLength": info["minLength"], "maxLength": info["maxLength"]}
    assert SCHEMAS["Reading"]["allOf"][1]["properties"]["truck_id"] == limits
    assert SCHEMAS["Truck"]["allOf"][1]["properties"]["truck_id"] == limits
    assert DOCUMENT["paths"]["/trucks/{truck_id}"]["get"]["parameters"][0]["schema"] == limits
    assert info["maxLength"] == MAX_TRUCK_ID_LENGTH


def test_reasons_are_those_of_the_contract_that_one_reading_can_have():
    of_a_batch = {"key_conflict", "internal_error"}
    listed = set(SCHEMAS["Outcome"]["properties"]["reason"]["enum"])
    assert listed == (set(get_args(Reason)) - of_a_batch) | {logic.NOT_YOUR_TRUCK}


def test_outcomes_have_the_fields_of_the_functions():
    assert list(SCHEMAS["Outcome"]["properties"]) == [
        field.name for field in msgspec.structs.fields(logic.ReadingOutcome)
    ]


def test_a_truck_has_every_metric():
    _, truck = SCHEMAS["Truck"]["allOf"]
    assert truck["required"] == [*truck["properties"], *(metric.name for metric in METRICS)]


def test_limits_are_those_of_the_function():
    _, readings = SCHEMAS["TelemetryBody"]["oneOf"]
    assert (readings["minItems"], readings["maxItems"]) == (1, logic.MAX_READINGS)
    assert f"{logic.MAX_BODY_BYTES:,} bytes" in DOCUMENT["paths"]["/telemetry"]["post"]["description"]
    size = DOCUMENT["paths"]["/trucks"]["get"]["parameters"][0]["schema"]
    assert (size["default"], size["maximum"]) == (logic.DEFAULT_PAGE_SIZE, logic.MAX_PAGE_SIZE)
    assert SCHEMAS["TruckPage"]["properties"]["trucks"]["maxItems"] == logic.MAX_PAGE_SIZE
