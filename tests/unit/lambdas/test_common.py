"""What both functions share, where a function's own tests can't reach it."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from lambdas.common import aws, environment
from lambdas.common.aws import in_parallel
from lambdas.common.deadline import Deadline, StoreError, send_all

pytestmark = pytest.mark.unit

GIVEN = {"BUCKET": "b", "QUARANTINE_PREFIX": "q/"}


def test_environment_has_defaults_and_empty_means_unset():
    read = environment.read(environment.ProcessorEnvironment, GIVEN | {"MAX_EVENT_AGE_SECONDS": ""})

    assert read.time_limits.max_clock_skew.total_seconds() == 600
    assert read.time_limits.max_event_age is None


def test_a_client_that_many_threads_need_at_once_is_made_once(monkeypatch):
    made: list[str] = []
    together = threading.Barrier(4)

    def client(service: str) -> SimpleNamespace:
        made.append(service)
        return SimpleNamespace(put_object=lambda: len(made))

    monkeypatch.setattr(aws, "client", client)
    needed = aws.ClientWhenNeeded("s3")

    def call(_: int) -> int:
        together.wait(timeout=10)
        return needed.put_object()

    assert made == []
    assert in_parallel(call, range(4), Deadline(30)) == [1] * 4
    assert made == ["s3"]


def test_environment_reads_numbers():
    given = GIVEN | {"MAX_EVENT_AGE_SECONDS": "86400", "MAX_CLOCK_SKEW_SECONDS": "0"}

    read = environment.read(environment.ProcessorEnvironment, given)

    assert read.time_limits.max_event_age.days == 1
    assert read.time_limits.max_clock_skew.total_seconds() == 0


@pytest.mark.parametrize("value", ["ten", "-1", "1.5"])
def test_environment_variable_with_an_unusable_value_is_named(value):
    with pytest.raises(environment.EnvironmentVariableError, match=f"MAX_CLOCK_SKEW_SECONDS='{value}'"):
        environment.read(environment.ProcessorEnvironment, GIVEN | {"MAX_CLOCK_SKEW_SECONDS": value})


def test_missing_environment_variable_is_named():
    with pytest.raises(environment.EnvironmentVariableError, match="QUARANTINE_PREFIX is missing"):
        environment.read(environment.ProcessorEnvironment, {"BUCKET": "b"})


def test_refused_items_alone_are_sent_again(no_waiting):
    sent = []

    def refuse_first(pending):
        sent.append(list(pending))
        return pending[1:]

    send_all(refuse_first, [1, 2, 3], Deadline(60))

    assert sent == [[1, 2, 3], [2, 3], [3]]
    assert len(no_waiting) == 2


def test_no_attempt_is_made_whose_wait_would_pass_the_deadline(no_waiting, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    attempts = []

    def refuse(pending):
        attempts.append(pending)
        return pending

    # Waits of 0.05, 0.1, 0.2, …: the clock stands still, so the first that is too long is the 0.8 of the fifth.
    with pytest.raises(StoreError, match="no time left"):
        send_all(refuse, [1], Deadline(0.7))
    assert len(attempts) == 5
    assert no_waiting == [0.05, 0.1, 0.2, 0.4]


def test_results_come_in_the_order_of_the_items():
    assert in_parallel(lambda item: item * 2, range(100), Deadline(60)) == [item * 2 for item in range(100)]


def test_first_error_stops_what_has_not_begun_and_waits_for_what_has():
    failed, busy, ended = threading.Event(), threading.Event(), []

    def work(item):
        if item == 0:
            failed.set()
            raise StoreError("down")
        failed.wait(60)
        busy.wait(0.001)  # Work of a millisecond.
        ended.append(item)

    with pytest.raises(StoreError, match="down"):
        in_parallel(work, range(1_000), Deadline(60))
    after = list(ended)
    assert len(after) < 999
    assert ended == after


def test_nothing_begins_past_the_deadline():
    with pytest.raises(StoreError, match="no time left"):
        in_parallel(lambda item: pytest.fail("called"), [1], Deadline(0))
