import random

import pytest

from include.local.aws.event_source_mapping.progress import LaneProgress, lane_of

pytestmark = pytest.mark.unit


def test_the_position_is_before_the_first_record_that_is_not_done():
    progress = LaneProgress([None, None])
    progress.add(["1", "2", "3", "4"])
    assert progress.finish(["2", "4"], lane=1) is None
    assert progress.waiting == 2
    assert progress.finish(["1"], lane=0) == "2"
    assert progress.finish(["3"], lane=0) == "4"
    assert progress.waiting == 0


def test_records_that_no_lane_sees_move_the_position_only_when_their_turn_comes():
    progress = LaneProgress([None])
    progress.add(["1", "2", "3"])
    assert progress.finish(["2"]) is None
    assert progress.lanes == [None]
    assert progress.finish(["1"], lane=0) == "2"
    assert progress.finish(["3"]) == "3"


def test_after_a_restart_a_lane_knows_what_it_did():
    progress = LaneProgress(["9", "11"])
    assert progress.is_done(0, "9")
    assert not progress.is_done(0, "10")
    assert progress.is_done(1, "10")


def test_in_any_order_of_the_lanes_nothing_is_passed_over():
    chance = random.Random(7)
    progress = LaneProgress([None] * 3)
    lanes = [[str(n) for n in range(100) if lane_of(str(n), 3) == lane] for lane in range(3)]
    progress.add(str(n) for n in range(100))
    done: set[str] = set()
    while progress.waiting:
        lane = chance.choice([lane for lane in range(3) if lanes[lane]])
        taken, lanes[lane] = lanes[lane][:4], lanes[lane][4:]
        done.update(taken)
        if (position := progress.finish(taken, lane)) is not None:
            assert {str(n) for n in range(int(position) + 1)} <= done
    assert position == "99"


def test_a_key_has_one_lane_and_lanes_share_the_keys():
    lanes = [lane_of(f"truck-{n}", 10) for n in range(1000)]
    assert lanes == [lane_of(f"truck-{n}", 10) for n in range(1000)]
    assert all(50 <= lanes.count(lane) <= 200 for lane in range(10))
