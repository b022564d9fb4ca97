"""Clicks of an hour: every way in which archive, table and quarantine can differ is found and named."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include import click_table, names

pytestmark = pytest.mark.unit

STREAM = names.CLICK_STREAM


def counts(balance):
    """archived, landed, duplicates, quarantined, resolved, missing; the first is the sum of the others and expired."""
    found = (
        balance.archived, balance.landed, balance.duplicates, balance.quarantined, balance.resolved, balance.missing,
    )  # fmt: skip
    assert found[0] == sum(found[1:]) + balance.expired
    return found


def send(world, number, **content):
    """Put a click into archive and table; return it."""
    click = world.click(number, **content)
    world.archived(number, stream=STREAM, payload=click)
    world.row(number, click)
    return click


def test_a_healthy_hour_balances(world):
    first = send(world, 1)
    send(world, 2, item="LAP002")
    world.archived(3, stream=STREAM, payload=first)  # Sent again; the row stays the same.
    world.archived(4, 5, stream=STREAM, payload=b"no JSON")
    world.quarantined(4, stream=STREAM, reason="not_json")
    world.resolved(5, stream=STREAM, reason="missing")  # A probe.
    balance = world.clicks()
    assert counts(balance) == (5, 2, 1, 1, 1, 0)
    assert (balance.balanced, balance.differences(), balance.is_open) == (True, [], False)


def test_each_click_of_an_aggregate_is_counted(world):
    clicks = [world.click(2, item=item) for item in ("MOB001", "LAP002", "CAM003")]
    world.archived(2, "2.1", "2.2", "2.3", "2.4", stream=STREAM, payload=[*clicks, clicks[0], b"no JSON"])
    for click in clicks[:2]:
        world.row(2, click)
    world.quarantined("2.4", stream=STREAM)
    balance = world.clicks()
    assert counts(balance) == (5, 2, 1, 1, 0, 1)
    assert balance.samples == {"missing": ["shardId-000000000000 2.2"]}


def test_an_hour_in_which_nothing_happened_balances(world):
    balance = world.clicks()
    assert counts(balance) == (0, 0, 0, 0, 0, 0)
    assert balance.balanced


def test_records_that_firehose_delivered_twice_are_counted_once(world):
    click = send(world, 1)
    world.archived(1, 1, stream=STREAM, payload=click, name="again")
    assert counts(world.clicks()) == (1, 1, 0, 0, 0, 0)


def test_a_valid_click_without_its_row_is_missing_and_named(world):
    send(world, 1)
    world.archived(2, stream=STREAM, payload=world.click(2))
    balance = world.clicks()
    assert counts(balance) == (2, 1, 0, 0, 0, 1)
    assert balance.samples == {"missing": ["shardId-000000000000 2"]}
    (text,) = balance.differences()
    assert text.startswith(f"{STREAM} {world.hour:%Y-%m-%dT%H}: 1 missing")
    assert text.endswith("shardId-000000000000 2")


def test_an_expired_click_without_its_row_is_no_loss(world):
    days = 24 * 3600
    send(world, 1, at=-8 * days)  # DynamoDB has not deleted it yet.
    for number, age in ((2, 8), (3, 6)):
        world.archived(number, stream=STREAM, payload=world.click(number, at=number - age * days))
    late = world.click(4, at=-9 * days)
    world.archived(4, stream=STREAM, payload=late)
    world.quarantined(4, stream=STREAM, reason="too_old")
    world.archived(5, stream=STREAM, payload=world.click(5, at=-9 * days))
    world.resolved(5, stream=STREAM, reason="internal_error")

    balance = world.clicks(click_ttl_days=7)

    assert counts(balance) == (5, 1, 0, 1, 0, 1)
    assert balance.expired == 2
    assert balance.samples == {"missing": ["shardId-000000000000 3"]}
    assert counts(world.clicks())[-1] == 3


def test_an_invalid_record_that_nobody_quarantined_is_missing(world):
    world.archived(1, stream=STREAM, payload=b"no JSON")
    balance = world.clicks()
    assert counts(balance) == (1, 0, 0, 0, 0, 1)
    assert balance.samples == {"missing": ["shardId-000000000000 1"]}


def test_a_record_is_judged_by_the_clock_of_its_arrival(world):
    # Nine minutes ahead of its arrival is valid forever, eleven never is.
    send(world, 1, at=1 + 9 * 60)
    world.archived(2, stream=STREAM, payload=world.click(2, at=2 + 11 * 60))
    world.quarantined(2, stream=STREAM, reason="in_future")
    assert counts(world.clicks()) == (2, 1, 0, 1, 0, 0)


def test_of_many_missing_twenty_are_named_and_all_are_counted(world):
    world.archived(*range(1, 101), stream=STREAM, payload=[world.click(number) for number in range(1, 101)])
    balance = world.clicks()
    assert balance.missing == 100
    assert balance.samples["missing"] == [f"shardId-000000000000 {number}" for number in range(1, 21)]


def test_a_row_that_nobody_archived_is_unexpected(world):
    send(world, 1)
    click = world.click(2)
    world.row(2, click)
    balance = world.clicks()
    assert counts(balance) == (1, 1, 0, 0, 0, 0)
    assert (balance.unexpected, balance.balanced) == (1, False)
    assert balance.samples == {"unexpected": [f"{names.CLICK_TABLE} {click['Timestamp']} MOB001"]}


@pytest.mark.parametrize(("arrival", "event"), [(5, -5), (3595, 3605)], ids=["before_the_hour", "after_the_hour"])
def test_also_if_its_own_time_is_just_outside_the_hour(world, arrival, event):
    world.row(arrival, world.click(arrival, at=event))
    assert world.clicks().unexpected == 1


def test_a_row_that_arrived_in_another_hour_is_not_counted(world):
    world.row(3605, world.click(3605, at=3595))
    world.row(-5, world.click(-5))
    assert world.clicks().balanced


def test_a_quarantine_object_that_nobody_archived_is_unexpected_and_counts_once(world):
    key = world.quarantined(7, stream=STREAM)
    world.resolved(7, stream=STREAM)
    balance = world.clicks()
    assert balance.unexpected == 1
    assert balance.samples == {"unexpected": [key.replace("quarantine/", "quarantine-resolved/")]}


def test_rows_are_found_however_late_the_clicks_are(world):
    send(world, 1, at=-20 * 3600)
    send(world, 2)
    assert counts(world.clicks()) == (2, 2, 0, 0, 0, 0)
    # Only the click that the hour's index can't have was read by its key.
    assert world.calls["BatchGetItem"] == 1


# --- One key, two contents ------------------------------------------------------------------------------------------


def test_a_conflict_inside_a_batch_is_quarantined_and_is_no_difference(world):
    send(world, 1, counts=1, at=1)
    world.archived(2, stream=STREAM, payload=world.click(2, counts=2, at=1))
    world.quarantined(2, stream=STREAM, reason="key_conflict")
    balance = world.clicks()
    assert counts(balance) == (2, 1, 0, 1, 0, 0)
    assert balance.balanced


def test_a_conflict_across_batches_is_named_with_all_senders(world):
    send(world, 1, counts=1, at=1)
    send(world, 2, counts=2, at=1)
    balance = world.clicks()
    assert counts(balance) == (2, 1, 1, 0, 0, 0)
    assert (balance.conflicts, balance.balanced) == (1, False)
    (sample,) = balance.samples["conflicts"]
    for part in (f"{world.click(1)['Timestamp']} MOB001", "shardId-000000000000 1", "shardId-000000000000 2"):
        assert part in sample
    assert sample.endswith(f"the row arrived {world.click(2)['Timestamp']})")


def test_also_if_the_names_differ_and_the_counts_do_not(world):
    send(world, 1, at=1)
    world.archived(2, stream=STREAM, payload=world.click(2, at=1) | {"Item_Name": "another"})
    assert world.clicks().conflicts == 1


def test_a_click_that_a_later_hour_overwrote_is_a_conflict_of_the_earlier_hour(world):
    send(world, 1, counts=1, at=1)
    send(world, 3601, counts=2, at=1)
    found = world.balances(world.hour, *later(world, 1), streams=[STREAM])
    assert (found[STREAM, 0].conflicts, found[STREAM, 1].conflicts) == (1, 0)
    # One row, so only one of the hours counts it as landed.
    assert [each.landed for each in found.values()] == [0, 1]
    assert [each.duplicates for each in found.values()] == [1, 0]


def test_a_click_sent_again_in_a_later_hour_is_a_duplicate_of_one_row(world):
    send(world, 1, at=1)
    send(world, 3601, at=1)
    found = world.balances(world.hour, *later(world, 1), streams=[STREAM])
    assert [counts(each) for each in found.values()] == [(1, 0, 1, 0, 0, 0), (1, 1, 0, 0, 0, 0)]
    assert all(each.balanced for each in found.values())


def test_a_quarantined_conflict_that_a_retry_wrote_after_all_is_a_conflict(world):
    """A batch cut differently on its retry leaves both: the object, and the row (docs/adr/0003)."""
    send(world, 1, counts=1, at=1)
    send(world, 2, counts=2, at=1)
    world.quarantined(2, stream=STREAM, reason="key_conflict")
    balance = world.clicks()
    assert balance.conflicts == 1
    assert counts(balance) == (2, 1, 1, 0, 0, 0)


def test_a_conflict_that_somebody_had_replayed_is_settled(world):
    send(world, 1, counts=1, at=1)
    send(world, 2, counts=2, at=1)
    key = world.resolved(2, stream=STREAM, reason="key_conflict")
    assert world.clicks().balanced
    assert world.reads[key] == 1


def test_a_replay_that_overwrote_unawares_is_a_conflict(world):
    send(world, 1, counts=1, at=1)
    send(world, 2, counts=2, at=1)
    world.resolved(2, stream=STREAM, reason="not_processed")
    assert world.clicks().conflicts == 1


# --- Quarantine, replay ---------------------------------------------------------------------------------------------


def test_a_batch_that_was_given_up_is_quarantined_not_missing(world):
    world.archived(1, stream=STREAM, payload=world.click(1))
    world.quarantined(1, stream=STREAM, reason="not_processed")
    assert counts(world.clicks()) == (1, 0, 0, 1, 0, 0)


def test_a_row_counts_although_its_batch_was_given_up_after_it_was_written(world):
    send(world, 1)
    world.quarantined(1, stream=STREAM, reason="not_processed")
    assert counts(world.clicks()) == (1, 1, 0, 0, 0, 0)


@pytest.mark.parametrize("both", [False, True], ids=["moved", "killed_between_copy_and_delete"])
def test_a_replayed_click_counts_once_as_landed(world, both):
    send(world, 1)
    world.resolved(1, stream=STREAM, reason="not_processed")
    if both:
        world.quarantined(1, stream=STREAM, reason="not_processed")
    assert counts(world.clicks()) == (1, 1, 0, 0, 0, 0)


def test_a_replayed_click_without_its_row_is_missing(world):
    world.archived(1, stream=STREAM, payload=world.click(1))
    world.resolved(1, stream=STREAM, reason="not_processed")
    assert counts(world.clicks()) == (1, 0, 0, 0, 0, 1)


def test_not_one_quarantine_object_is_read_to_be_counted(world):
    world.archived(*range(1, 51), stream=STREAM, payload=b"no JSON")
    for number in range(1, 51):
        world.quarantined(number, stream=STREAM)
    assert counts(world.clicks()) == (50, 0, 0, 50, 0, 0)
    assert not any(key.startswith(names.QUARANTINE_PREFIX) for key in world.reads)


# --- Reading the table ----------------------------------------------------------------------------------------------


def test_keys_that_dynamodb_leaves_unprocessed_are_requested_again(world, monkeypatch):
    for number in range(1, 4):
        send(world, number, at=-20 * 3600 - number)
    monkeypatch.setattr("time.sleep", lambda _: None)
    really, throttled = world.dynamodb.batch_get_item, []

    def throttling(RequestItems):
        keys = RequestItems[names.CLICK_TABLE]["Keys"]
        if len(keys) == 1:
            return really(RequestItems=RequestItems)
        throttled.append(len(keys))
        request = RequestItems[names.CLICK_TABLE]
        first, rest = request | {"Keys": keys[:1]}, request | {"Keys": keys[1:]}
        return really(RequestItems={names.CLICK_TABLE: first}) | {"UnprocessedKeys": {names.CLICK_TABLE: rest}}

    monkeypatch.setattr(world.dynamodb, "batch_get_item", throttling)
    assert counts(world.clicks()) == (3, 3, 0, 0, 0, 0)
    assert throttled == [3, 2]


def test_a_table_that_stays_throttled_is_an_error_and_nothing_is_called_missing(world, monkeypatch):
    world.archived(1, stream=STREAM, payload=world.click(1))
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr(
        world.dynamodb, "batch_get_item", lambda RequestItems: {"Responses": {}, "UnprocessedKeys": RequestItems}
    )
    with pytest.raises(TimeoutError, match="throttled"):
        world.clicks()


def test_every_page_of_the_index_is_read_and_the_table_is_never_scanned(world, monkeypatch):
    for number in range(1, 31):
        send(world, number)
    really = world.dynamodb.query
    monkeypatch.setattr(world.dynamodb, "query", lambda **request: really(**request, Limit=7))
    assert counts(world.clicks()) == (30, 30, 0, 0, 0, 0)
    # Of ClickItems, for the index's partitions.
    assert world.calls["Scan"] == 1
    assert world.calls["BatchGetItem"] == 0


def test_clicks_are_found_in_every_shard_of_the_index(world):
    click = world.click(1)
    world.row(1, click)
    world.dynamodb.update_item(
        TableName=names.CLICK_TABLE,
        Key={"Timestamp": {"S": click["Timestamp"]}, "Item_ID": {"S": "MOB001"}},
        UpdateExpression="SET Item_Hour_Shard = :shard",
        ExpressionAttributeValues={":shard": {"S": f"MOB001#{click['Timestamp'][:13]}#3"}},
    )
    assert (world.clicks(index_shards=4).unexpected, world.clicks(index_shards=1).unexpected) == (1, 0)


def test_batches_have_a_hundred_keys(world):
    world.archived(*range(1, 251), stream=STREAM, payload=[world.click(number) for number in range(1, 251)])
    world.clicks()
    assert world.calls["BatchGetItem"] == 3
    assert click_table.BATCH_KEYS == 100


def later(world, *hours):
    return [world.hour + each * timedelta(hours=1) for each in hours]
