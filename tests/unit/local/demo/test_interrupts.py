"""A signal interrupts the demo anywhere but where a process starts or stops."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from include.local.demo import interrupts

pytestmark = pytest.mark.unit

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    interrupts.install()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_interrupts(number):
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_deferred_signal_interrupts_at_the_end_of_the_block(number):
    steps = []

    def block() -> None:
        with interrupts.deferred():
            os.kill(os.getpid(), number)
            steps.append("the rest of the block")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert steps == ["the rest of the block"]


def test_a_deferred_signal_interrupts_also_where_the_block_fails():
    def block() -> None:
        with interrupts.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            raise OSError("no such program")

    with pytest.raises(KeyboardInterrupt) as interrupt:
        block()
    assert isinstance(interrupt.value.__context__, OSError)


def test_a_deferred_signal_interrupts_once():
    with pytest.raises(KeyboardInterrupt), interrupts.deferred():
        os.kill(os.getpid(), signal.SIGTERM)

    with interrupts.deferred():
        pass
