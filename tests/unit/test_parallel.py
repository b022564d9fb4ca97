"""Work on several items at a time, until one fails."""

from __future__ import annotations

import threading

import pytest

from include.parallel import for_each

pytestmark = pytest.mark.unit


def test_every_item_is_worked_on() -> None:
    done: list[int] = []
    for_each(done.append, range(20), workers=4)
    assert sorted(done) == list(range(20))


def test_nothing_is_begun_after_an_error() -> None:
    begun: list[int] = []

    def work(item: int) -> None:
        begun.append(item)
        if item == 2:
            raise ValueError(item)

    with pytest.raises(ValueError, match="2"):
        for_each(work, range(20), workers=1)
    assert begun == [0, 1, 2]


def test_work_that_runs_learns_of_an_error_and_is_waited_for() -> None:
    stop = threading.Event()
    both_run = threading.Barrier(2, timeout=60)
    ended: list[bool] = []

    def work(item: str) -> None:
        both_run.wait()
        if item == "fails":
            raise ValueError(item)
        ended.append(stop.wait(timeout=60))

    with pytest.raises(ValueError, match="fails"):
        for_each(work, ["long", "fails"], workers=2, stop=stop)
    assert ended == [True]
