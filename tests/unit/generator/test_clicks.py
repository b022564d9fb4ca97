import itertools
from collections import Counter

import pytest

from include.generator.catalogue import items
from include.generator.clicks import ClickSimulation, rhythm

pytestmark = pytest.mark.unit

START = 1_790_000_000_000_000
HOUR = 3600


def _clicks(seed: int, count: int, start: int = START, step: int = 50_000, catalogue: int = 3):
    shop = ClickSimulation(seed, items(catalogue), start)
    return [shop.click(start + number * step) for number in range(count)]


def test_the_default_catalogue_and_any_larger_one():
    assert [item.item_id for item in items(3)] == ["MOB001", "LAP002", "CAM003"]
    assert items(3) == items(500)[:3]
    assert len({item.item_id for item in items(5000)}) == 5000
    assert all(0 < len(item.name) <= 512 for item in items(5000))


def test_the_same_seed_and_start_give_the_same_clicks_and_another_seed_does_not():
    assert _clicks(1, 500) == _clicks(1, 500)
    assert _clicks(1, 500) != _clicks(2, 500)
    assert _clicks(1, 500) != _clicks(1, 500, start=START + 60_000_000)


def test_popularity_changes_over_the_hours_and_every_item_is_clicked():
    shop = ClickSimulation(3, items(20), START)
    favourites = {max(range(20), key=shop.weights(START / 1e6 + hour * HOUR).__getitem__) for hour in range(24)}
    assert len(favourites) > 1
    assert len({item for item, _ in _clicks(3, 5000, catalogue=20)}) == 20


def test_popular_items_are_clicked_more():
    counts = Counter(item.item_id for item, _ in _clicks(3, 5000, catalogue=100))
    assert counts.most_common(1)[0][1] > 3 * 5000 / 100


def test_a_session_stays_with_its_item():
    """At night there are few visitors: one's next click comes soon, and more often on the same item than by chance."""
    night = START // (86_400 * 10**6) * (86_400 * 10**6) + 4 * HOUR * 10**6
    clicks = [item for item, _ in _clicks(5, 20_000, start=night, step=1_000, catalogue=50)]
    by_chance = sum((count / len(clicks)) ** 2 for count in Counter(clicks).values())
    repeated = sum(a == b for a, b in itertools.pairwise(clicks)) / len(clicks)
    assert repeated > 1.3 * by_chance


def test_afternoons_are_busier_than_nights():
    assert rhythm(4 * HOUR) == pytest.approx(0.2)
    assert rhythm(16 * HOUR) == pytest.approx(1.0)
    day = START // (86_400 * 10**6) * 86_400 * 10**6
    night = sum(counts for _, counts in _clicks(1, 2000, start=day + 4 * HOUR * 10**6))
    afternoon = sum(counts for _, counts in _clicks(1, 2000, start=day + 16 * HOUR * 10**6))
    assert afternoon > 1.3 * night
