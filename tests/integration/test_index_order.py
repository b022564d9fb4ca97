"""A query of an index that MiniStack reads by its range answers as one that reads the whole partition."""

import random

import pytest

pytestmark = pytest.mark.integration

TABLE, INDEX = "index-order", "ByHour"
HOURS = ("a#09", "a#10")


@pytest.fixture(scope="module")
def kept(ministack):
    """Clicks as a table with an index by hour has them after writes, overwrites and deletions, by hour and in order."""
    dynamodb = ministack.client("dynamodb")
    keys = [("Timestamp", "HASH"), ("Item_ID", "RANGE")]
    index = [("Hour", "HASH"), ("Timestamp", "RANGE")]
    dynamodb.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in dict([*keys, *index])],
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        GlobalSecondaryIndexes=[
            {
                "IndexName": INDEX,
                "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in index],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )
    try:
        seed = 20
        print(f"seed {seed}")
        chance = random.Random(seed)
        held = {}
        for turn in range(160):
            key = {"Timestamp": f"{chance.randrange(20):02d}", "Item_ID": chance.choice("xyz")}
            typed = {name: {"S": value} for name, value in key.items()}
            if turn % 4 == 3:
                dynamodb.delete_item(TableName=TABLE, Key=typed)
                held.pop(tuple(key.values()), None)
            else:
                # Written again in the other hour, a click leaves one partition of the index for the other.
                hour = chance.choice(HOURS)
                dynamodb.put_item(TableName=TABLE, Item={**typed, "Hour": {"S": hour}})
                held[tuple(key.values())] = hour
            if turn == 40:
                # MiniStack builds its index with the first query, and keeps it up with the writes that follow.
                dynamodb.query(**query(HOURS[0]))
        yield dynamodb, {hour: sorted(key for key in held if held[key] == hour) for hour in HOURS}
    finally:
        dynamodb.delete_table(TableName=TABLE)


def query(hour, condition="", values=None, **more):
    return {
        "TableName": TABLE,
        "IndexName": INDEX,
        "KeyConditionExpression": f"#hour = :hour{condition}",
        "ExpressionAttributeNames": {"#hour": "Hour"} | ({"#time": "Timestamp"} if condition else {}),
        "ExpressionAttributeValues": {
            ":hour": {"S": hour},
            **{name: {"S": value} for name, value in (values or {}).items()},
        },
        **more,
    }


def pages(dynamodb, request):
    """Return what each page of a query holds: the clicks' keys."""
    found, cursor = [], {}
    while True:
        page = dynamodb.query(**request, **cursor)
        found.append([(item["Timestamp"]["S"], item["Item_ID"]["S"]) for item in page["Items"]])
        if "LastEvaluatedKey" not in page:
            return found
        cursor = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@pytest.mark.parametrize("limit", [None, 1, 3])
@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize(
    ("condition", "values", "belongs"),
    [
        ("", {}, lambda time: True),
        (" AND #time > :from", {":from": "05"}, lambda time: time > "05"),
        (" AND #time >= :from", {":from": "05"}, lambda time: time >= "05"),
        (" AND #time BETWEEN :from AND :to", {":from": "05", ":to": "12"}, lambda time: "05" <= time <= "12"),
        (" AND #time < :to", {":to": "12"}, lambda time: time < "12"),
        (" AND begins_with(#time, :start)", {":start": "1"}, lambda time: time.startswith("1")),
        (" AND #time > :from", {":from": "99"}, lambda time: False),
    ],
    ids=["whole hour", "after", "from", "between", "before", "prefix", "nothing"],
)
def test_a_query_of_an_index_finds_its_range_in_order_page_by_page(kept, condition, values, belongs, forward, limit):
    dynamodb, held = kept
    for hour in HOURS:
        expected = [key for key in held[hour] if belongs(key[0])][:: 1 if forward else -1]
        more = {"ScanIndexForward": forward} | ({"Limit": limit} if limit else {})
        found = pages(dynamodb, query(hour, condition, values, **more))
        assert [key for page in found for key in page] == expected
        if limit:
            assert all(len(page) == limit for page in found[:-1])


def test_a_query_of_an_hour_without_clicks_finds_nothing(kept):
    dynamodb, _ = kept
    assert pages(dynamodb, query("a#11")) == [[]]
