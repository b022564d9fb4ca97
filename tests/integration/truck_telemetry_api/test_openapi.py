"""The deployed API against its OpenAPI document: whatever is sent, right or wrong, it answers as the document says.

`make test` sends 20 requests to each operation, and `make verify` over a thousand.

The same requests every time; others with API_FUZZ_SEED in the environment.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from include.cloudformation import OPENAPI

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

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
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
