from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from include.local.aws.event_source_mapping.batcher import EventRecord
from include.local.aws.event_source_mapping.invoker import Failed, NotInvoked, Outcome, Succeeded
from include.local.aws.event_source_mapping.processor import BatchProcessor, StoppedError
from include.local.aws.rate_limited_log import RateLimitedLogger

pytestmark = pytest.mark.unit

CRASH = Failed("it crashed", "request", 200, "$LATEST", "Unhandled")


def reported(index: int) -> Failed:
    """The function reported the record at ``index`` of its batch."""
    return Failed("it reported a failure", "request", 200, "$LATEST", None, index)


class Harness:
    """A processor whose function is ``answer`` and whose clock moves only when it waits."""

    def __init__(self, settings, answer: Callable[[Sequence[int]], Outcome], now: float = 0.0) -> None:
        self.settings = settings
        self.answer = answer
        self.now = now
        self.calls: list[list[int]] = []
        self.acknowledged: list[int] = []
        self.discarded: list[tuple[str, list[int], int]] = []
        self.waits: list[float] = []
        self.stop_after: int | None = None
        self._processor = BatchProcessor(
            settings=lambda: self.settings,
            invoke=self._invoke,
            discard=lambda _, d: self.discarded.append((d.condition, numbers(d.records), d.invocations)),
            acknowledge=lambda records: self.acknowledged.extend(numbers(records)),
            wait=self._wait,
            clock=lambda: self.now,
            log=RateLimitedLogger("test"),
        )

    def process(self, records: Sequence[EventRecord]) -> None:
        self._processor.process(records)

    def _invoke(self, _, records: Sequence[EventRecord]) -> Outcome:
        self.calls.append(numbers(records))
        return self.answer(numbers(records))

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        if self.stop_after is not None and len(self.waits) >= self.stop_after:
            raise StoppedError


def numbers(records: Sequence[EventRecord]) -> list[int]:
    return [int(record.record.sequence_number) - 100 for record in records]


def crash_on(*poison: int) -> Callable[[Sequence[int]], Outcome]:
    return lambda batch: CRASH if set(poison) & set(batch) else Succeeded()


def in_turn(*outcomes: Outcome) -> Callable[[Sequence[int]], Outcome]:
    remaining = iter(outcomes)
    return lambda _: next(remaining)


def test_a_success_acknowledges_the_batch(make_settings, make_records):
    harness = Harness(make_settings(), in_turn(Succeeded()))
    harness.process(make_records(4))
    assert harness.acknowledged == [0, 1, 2, 3]


def test_a_partial_success_is_acknowledged_and_the_rest_retried_immediately(make_settings, make_records):
    harness = Harness(make_settings(), in_turn(reported(2), Succeeded()))
    harness.process(make_records(5))
    assert harness.calls == [[0, 1, 2, 3, 4], [2, 3, 4]]
    assert harness.acknowledged == [0, 1, 2, 3, 4]
    assert harness.waits == []


def test_where_the_first_record_is_reported_the_same_batch_comes_again(make_settings, make_records):
    harness = Harness(make_settings(BisectBatchOnFunctionError=True), in_turn(reported(0), reported(0), Succeeded()))
    harness.process(make_records(4))
    assert harness.calls == [[0, 1, 2, 3]] * 3
    assert len(harness.waits) == 2


def test_without_limits_a_failing_batch_is_retried_until_it_works(make_settings, make_records):
    harness = Harness(make_settings(), in_turn(*[CRASH] * 50, Succeeded()))
    harness.process(make_records(3))
    assert len(harness.calls) == 51
    assert harness.acknowledged == [0, 1, 2]
    assert harness.discarded == []


def test_pauses_between_retries_grow_to_a_limit_and_differ(make_settings, make_records):
    harness = Harness(make_settings(), in_turn(*[CRASH] * 50, Succeeded()))
    harness.process(make_records(1))
    assert harness.waits[0] <= 0.1
    assert max(harness.waits) <= 2.0
    assert min(harness.waits[10:]) >= 1.0
    assert len(set(harness.waits)) > 40


def test_exhausted_retries_discard_the_batch_and_the_next_one_follows(make_settings, make_records):
    harness = Harness(make_settings(MaximumRetryAttempts=2), crash_on(0))
    records = make_records(4)
    harness.process(records[:2])
    harness.process(records[2:])
    assert harness.discarded == [("RetryAttemptsExhausted", [0, 1], 3)]
    assert harness.acknowledged == [0, 1, 2, 3]


def test_no_retries_means_one_attempt(make_settings, make_records):
    harness = Harness(make_settings(MaximumRetryAttempts=0), crash_on(0))
    harness.process(make_records(1))
    assert (harness.calls, harness.waits) == ([[0]], [])
    assert harness.discarded == [("RetryAttemptsExhausted", [0], 1)]


def test_bisection_isolates_poison_in_order_and_uses_up_no_retry(make_settings, make_records):
    harness = Harness(make_settings(BisectBatchOnFunctionError=True, MaximumRetryAttempts=1), crash_on(5))
    harness.process(make_records(8))
    assert harness.acknowledged == [0, 1, 2, 3, 4, 5, 6, 7]
    (discarded,) = harness.discarded
    assert discarded[:2] == ("RetryAttemptsExhausted", [5])
    assert harness.calls == [[*range(8)], [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [5], [6, 7]]


def test_two_poison_records_are_both_isolated(make_settings, make_records):
    harness = Harness(make_settings(BisectBatchOnFunctionError=True, MaximumRetryAttempts=0), crash_on(0, 99))
    harness.process(make_records(100))
    assert [numbers for _, numbers, _ in harness.discarded] == [[0], [99]]
    assert harness.acknowledged == [*range(100)]


def test_progress_gives_the_rest_a_fresh_count_of_retries(make_settings, make_records):
    harness = Harness(make_settings(MaximumRetryAttempts=1), in_turn(CRASH, reported(1), CRASH, Succeeded()))
    harness.process(make_records(3))
    assert harness.calls == [[0, 1, 2], [0, 1, 2], [1, 2], [1, 2]]
    assert harness.discarded == []


def test_records_past_the_age_limit_are_discarded_without_another_attempt(make_settings, make_records, start):
    # Record n arrived n seconds after the first; at this time 0, 1 and 2 are older than a minute.
    now = (start + timedelta(seconds=62.5)).timestamp()
    harness = Harness(make_settings(MaximumRecordAgeInSeconds=60), crash_on(), now=now)
    harness.process(make_records(5))
    assert harness.discarded == [("RecordAgeExceeded", [0, 1, 2], 0)]
    assert harness.calls == [[3, 4]]
    assert harness.acknowledged == [0, 1, 2, 3, 4]


def test_a_poison_record_without_retry_limit_ends_at_its_age(make_settings, make_records, start):
    settings = make_settings(BisectBatchOnFunctionError=True, MaximumRecordAgeInSeconds=3600)
    harness = Harness(settings, crash_on(3), now=start.timestamp())
    harness.process(make_records(4))
    ((condition, discarded, invocations),) = harness.discarded
    assert (condition, discarded) == ("RecordAgeExceeded", [3])
    assert invocations > 1000
    assert harness.acknowledged == [0, 1, 2, 3]


def test_what_could_not_be_invoked_uses_up_no_retry(make_settings, make_records):
    settings = make_settings(MaximumRetryAttempts=0, BisectBatchOnFunctionError=True)
    harness = Harness(settings, in_turn(*[NotInvoked("throttled")] * 20, Succeeded()))
    harness.process(make_records(2))
    assert harness.calls == [[0, 1]] * 21
    assert harness.discarded == []


def test_changed_settings_hold_from_the_next_attempt(make_settings, make_records):
    harness = Harness(make_settings(), in_turn(CRASH, CRASH))

    def answer(_: Sequence[int]) -> Outcome:
        harness.settings = make_settings(MaximumRetryAttempts=1)
        return CRASH

    harness.answer = answer
    harness.process(make_records(2))
    assert harness.discarded == [("RetryAttemptsExhausted", [0, 1], 2)]


def test_a_stop_while_retrying_leaves_the_rest_unacknowledged(make_settings, make_records):
    harness = Harness(make_settings(BisectBatchOnFunctionError=True), crash_on(3))
    harness.stop_after = 1
    with pytest.raises(StoppedError):
        harness.process(make_records(8))
    assert harness.acknowledged == [0, 1, 2]
