"""The deployed API against its OpenAPI document: whatever is sent, right or wrong, it answers as the document says.

`make test` sends 20 requests to each operation, and `make verify` over a thousand.

The same requests every time; others with API_FUZZ_SEED in the environment.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from include.cloudformation import OPENAPI
from include.cloudformation.render import load

pytestmark = pytest.mark.integration

EVENTS = Path(__file__).parents[2] / "events" / "telemetry"
SEED = int(os.environ.get("API_FUZZ_SEED", "20261122"))
EXAMPLES = max(20, settings().max_examples // 10)
IS_THOROUGH = settings.get_current_profile_name() == "thorough"

# Random times are mostly in the future, which the contract refuses.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1)).map(  # noqa: DTZ001 -- no offset means UTC
        lambda moment: moment.isoformat()
    ),
)
schema = schemathesis.openapi.from_path(OPENAPI)
# Beside what chance makes, a request for each boundary of each value: a thousand, and a second to make them.
schema.config.phases.coverage.enabled = IS_THOROUGH
# Each request has a key: none is wrong for lack of it.
schema.config.generation.with_security_parameters = False


def in_json_schema(part: Any) -> Any:
    """A part of the OpenAPI document with its ``nullable`` in JSON Schema's words."""
    if isinstance(part, list):
        return [in_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {key: in_json_schema(value) for key, value in part.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if part.get("nullable") is True else plain


READING = Draft4Validator(
    {"$ref": "#/components/schemas/Reading", "components": in_json_schema(load(OPENAPI)["components"])}
)


def wrong_data_is_rejected(context: Any, response: Any, case: Any) -> bool | None:
    """What breaks the document is rejected; of a list, each reading for itself.

    schemathesis knows no list of which a part is accepted, and takes a reading for wrong that one of the document's
    alternatives forbids and another allows: null, where a metric may be a number or null.
    """
    if response.status_code not in (202, 207):
        return checks.negative_data_rejection(context, response, case)
    readings = case.body if isinstance(case.body, list) else [case.body]
    accepted = [readings[each["index"]] for each in response.json()["outcomes"] if each["status"] == "accepted"]
    assert [reading for reading in accepted if not READING.is_valid(reading)] == []
    return None


CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    wrong_data_is_rejected,
]


@pytest.fixture(autouse=True)
def trucks(states):
    """Some trucks, for the pages; with every metric, with none, and of a strange name."""
    print(f"API_FUZZ_SEED={SEED}")
    for file in ("valid/nested.json", "sparse/identity_only.json"):
        states((EVENTS / file).read_bytes())
    states(b'{"truck_id":"0","timestamp":"2026-11-22T14:29:00"}')


@schema.parametrize()
@seed(SEED)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_documented(case, api):
    case.call_and_validate(base_url=api.url, headers={"x-api-key": api.key}, checks=CHECKS, timeout=60)
