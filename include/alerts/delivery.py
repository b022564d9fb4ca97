"""Sends what an outbox holds, through every channel, and records it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec.structs import replace

from include.alerts.alert import Alert


class NotSentError(RuntimeError):
    """Alerts are still to be sent; the message says how many, and why each channel did not take them."""


class Outbox(Protocol):
    """Where alerts wait."""

    def unsent(self) -> Sequence[Alert]:
        """Return the alerts that some channel still has to get, the oldest first."""

    def record(self, alert: Alert, *, is_sent: bool) -> None:
        """Store ``alert.sent_to``; ``is_sent`` says that every channel has the alert."""


class Channel(Protocol):
    """A way to reach people."""

    name: str

    def send(self, alert: Alert) -> None:
        """Send one alert; raise whatever keeps it from being accepted."""


def deliver(outbox: Outbox, channels: Sequence[Channel]) -> int:
    """Send each unsent alert to each channel that does not have it yet; return how many alerts were completed.

    It records each alert and channel as soon as it is sent.  So a crash repeats at most one message on one channel.  A
    channel that fails keeps its alerts, and their order, for the next time, and holds up no other channel.

    Raises:
        NotSentError: a channel failed.
    """
    broken: dict[str, Exception] = {}
    waiting = 0
    alerts = outbox.unsent()
    for alert in alerts:
        for channel in channels:
            if channel.name in alert.sent_to or channel.name in broken:
                continue
            try:
                channel.send(alert)
            except Exception as error:  # noqa: BLE001 - whatever a provider raises; raised again below
                broken[channel.name] = error
                continue
            alert = replace(alert, sent_to=(*alert.sent_to, channel.name))
            outbox.record(alert, is_sent=all(each.name in alert.sent_to for each in channels))
        waiting += any(channel.name not in alert.sent_to for channel in channels)
    if broken:
        reasons = "; ".join(f"{name}: {type(error).__name__}: {error}" for name, error in broken.items())
        raise NotSentError(f"{waiting} of {len(alerts)} alerts wait: {reasons}") from next(iter(broken.values()))
    return len(alerts)
