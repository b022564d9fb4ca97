"""A demo that stays up, while a process of it is down for a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import requests

from include.local.demo.demo import Demo

pytestmark = pytest.mark.unit


def test_an_api_server_that_is_starting_again_is_asked_again_later():
    answers = iter([requests.ConnectionError("Connection refused"), "run"])
    printed: list[str] = []

    def trigger(_dag_id: str, _conf: dict) -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    demo = object.__new__(Demo)
    demo._airflow = SimpleNamespace(trigger=trigger)
    demo._watch = SimpleNamespace(print=printed.append)
    demo._began = datetime.now(UTC)

    assert not demo._has_counted_hours()
    assert demo._has_counted_hours()
    assert printed == ["reconcile is started later, the API server does not answer: Connection refused"]
