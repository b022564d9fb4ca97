"""Customers who click: sessions that stay or wander, items whose popularity changes, days that have a rhythm.

Pure: what happens depends on the seed, the start and the times asked for.
"""

from __future__ import annotations

import math
import random
from itertools import accumulate

from include.generator.catalogue import CatalogueItem

_DAY = 86_400
# How often popularity is computed again, and how long a promotion lasts, in seconds.
_REFRESH = 10
_PROMOTION = 300


def rhythm(seconds: float) -> float:
    """How busy the shop is, 0.2 (four in the morning, UTC) to 1 (four in the afternoon)."""
    return 0.6 - 0.4 * math.cos(2 * math.pi * (seconds % _DAY / _DAY - 4 / 24))


class ClickSimulation:
    """A shop's visitors from ``start`` (µs since 1970) on."""

    def __init__(self, seed: int, items: list[CatalogueItem], start: int) -> None:
        self.items = items
        self._seed = seed
        # The catalogue's character is the seed's alone; what its visitors do differs from run to run.
        character = random.Random(f"popularity:{seed}")
        self._popularity = [
            (1 / rank**0.8, character.uniform(600, 5400), character.uniform(0, 2 * math.pi))
            for rank in character.sample(range(1, len(items) + 1), len(items))
        ]
        self._rng = random.Random(f"visitors:{seed}:{start}")
        self._indices = range(len(items))
        self._weights: list[float] = []
        self._refreshed = -1
        self._sessions: list[list[int]] = []  # [item, interactions left]

    def weights(self, seconds: float) -> list[float]:
        """Each item's popularity at this time, any scale: a base, a tide of its own, and now and then a promotion."""
        window = int(seconds // _PROMOTION)
        promoted = random.Random(f"promotion:{self._seed}:{window}").randrange(2 * len(self.items))
        return [
            base * math.exp(0.8 * math.sin(2 * math.pi * seconds / period + phase)) * (4 if i == promoted else 1)
            for i, (base, period, phase) in enumerate(self._popularity)
        ]

    def click(self, at: int) -> tuple[CatalogueItem, int]:
        """The item, and how often it was clicked, of the interaction at ``at`` (µs since 1970)."""
        rng = self._rng
        seconds = at / 1e6
        busy = rhythm(seconds)
        if (refresh := int(seconds // _REFRESH)) != self._refreshed:
            self._refreshed = refresh
            self._weights = list(accumulate(self.weights(seconds)))
        visitors = max(3, int(40 * busy))
        position = int(rng.random() * visitors)
        if position >= len(self._sessions):
            position = len(self._sessions)
            self._sessions.append([self._any_item(), self._length()])
        session = self._sessions[position]
        if session[1] == 0:
            session[:] = self._any_item(), self._length()
        elif rng.random() < 0.35:
            session[0] = self._any_item()
        session[1] -= 1
        return self.items[session[0]], 1 + int(rng.expovariate(1 / (1.6 * busy)))

    def _any_item(self) -> int:
        return self._rng.choices(self._indices, cum_weights=self._weights)[0]

    def _length(self) -> int:
        return 1 + int(self._rng.expovariate(0.15))
