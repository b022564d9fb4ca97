"""The rules that AWS documents for FilterCriteria, on the data of Kinesis records."""

import json

import pytest

from include.local.aws.event_source_mapping.filter_patterns import PatternError, RecordFilter, read_filter

pytestmark = pytest.mark.unit


def passes(rule: object, data: object) -> bool:
    """Whether data (JSON text, or a value) passes the pattern {"data": rule}."""
    text = data if isinstance(data, (str, bytes)) else json.dumps(data)
    pattern = rule if isinstance(rule, str) else json.dumps(rule)
    return RecordFilter([f'{{"data": {pattern}}}']).passes(text if isinstance(text, bytes) else text.encode())


@pytest.mark.parametrize(
    ("rule", "matching", "other"),
    [
        # Equals: exact in case and type; a list is OR.
        ({"city": ["Oslo"]}, {"city": "Oslo"}, {"city": "oslo"}),
        ({"city": ["Oslo", "Rome"]}, {"city": "Rome"}, {"city": "Paris"}),
        ({"n": [1]}, {"n": 1}, {"n": "1"}),
        ({"n": ["1"]}, {"n": "1"}, {"n": 1}),
        ({"on": [True]}, {"on": True}, {"on": 1}),
        ({"city": [None]}, {"city": None}, {"city": "null"}),
        ({"city": [None]}, {"city": None}, {}),
        ({"city": [""]}, {"city": ""}, {"city": " "}),
        ({"city": [{"equals-ignore-case": "oslo"}]}, {"city": "OsLo"}, {"city": "Oslo "}),
        # Fields are AND, objects nest.
        ({"city": ["Oslo"], "day": ["Mon"]}, {"city": "Oslo", "day": "Mon"}, {"city": "Oslo", "day": "Tue"}),
        ({"order": {"type": ["buy"]}}, {"order": {"type": "buy"}}, {"order": {"type": "sell"}}),
        ({"order": {"type": ["buy"]}}, {"order": {"type": "buy"}}, {"order": "buy"}),
        ({"order": {"type": ["buy"]}}, {"order": {"type": "buy"}}, {"type": "buy"}),
        # Or over several fields.
        ({"$or": [{"city": ["Oslo"]}, {"day": ["Mon"]}]}, {"city": "Rome", "day": "Mon"}, {"city": "Rome"}),
        # Begins and ends with.
        ({"region": [{"prefix": "us-"}]}, {"region": "us-east-1"}, {"region": "eu-us-"}),
        ({"region": [{"prefix": "1"}]}, {"region": "12"}, {"region": 12}),
        ({"file": [{"suffix": ".png"}]}, {"file": "a.png"}, {"file": "a.png.gz"}),
        # Not.
        ({"city": [{"anything-but": ["Oslo"]}]}, {"city": "Rome"}, {"city": "Oslo"}),
        ({"city": [{"anything-but": "Oslo"}]}, {"city": "Rome"}, {"city": "Oslo"}),
        ({"city": [{"anything-but": ["Oslo", "Rome"]}]}, {"city": "Paris"}, {"city": "Rome"}),
        ({"n": [{"anything-but": [1, 2]}]}, {"n": 3}, {"n": 2}),
        ({"city": [{"anything-but": ["Oslo"]}]}, {"city": "Rome"}, {}),
        # Numbers.
        ({"n": [{"numeric": ["=", 100]}]}, {"n": 100.0}, {"n": 101}),
        ({"n": [{"numeric": [">", 10, "<=", 20]}]}, {"n": 20}, {"n": 10}),
        ({"n": [{"numeric": ["<", 0.3]}]}, {"n": 0.29}, {"n": 0.3}),
        ({"n": [{"numeric": [">=", 10]}]}, {"n": 10}, {"n": "11"}),
        ({"n": [{"numeric": [">", 0]}]}, {"n": 5e9}, {"n": 6e9}),
        # Presence, of leaves only.
        ({"name": [{"exists": True}]}, {"name": None}, {}),
        ({"name": [{"exists": True}]}, {"name": "x"}, {"name": {"first": "x"}}),
        ({"name": [{"exists": False}]}, {}, {"name": None}),
        ({"name": [{"exists": False}]}, {"name": {"first": "x"}}, {"name": "x"}),
        ({"a": {"b": [{"exists": False}]}}, {}, {"a": {"b": 1}}),
        # One value of a list is enough.
        ({"tags": ["new"]}, {"tags": ["old", "new"]}, {"tags": ["old"]}),
        ({"items": {"id": ["A"]}}, {"items": [{"id": "B"}, {"id": "A"}]}, {"items": [{"id": "B"}]}),
        # Rules of one list are OR.
        ({"n": [{"exists": False}, {"numeric": [">", 5]}]}, {}, {"n": 5}),
        ({"n": [{"exists": False}, {"numeric": [">", 5]}]}, {"n": 6}, {"n": 5}),
    ],
)
def test_a_rule_passes_what_it_documents_and_nothing_else(rule, matching, other):
    assert passes(rule, matching)
    assert not passes(rule, other)


def test_equal_numbers_are_equal_as_text():
    assert passes('{"n": [300]}', '{"n": 300}')
    assert not passes('{"n": [300]}', '{"n": 300.0}')
    assert not passes('{"n": [300]}', '{"n": 3.0e2}')


@pytest.mark.parametrize("data", [b"not JSON", b"", b"\xff\xfe", b'{"n": NaN}', b'{"n": 1} x', b"[" * 100_000])
def test_data_that_is_not_json_is_dropped(data):
    assert not passes({"n": [{"exists": False}]}, data)


@pytest.mark.parametrize("data", ["[1]", '"text"', "7", "null"])
def test_data_that_is_no_object_has_no_fields(data):
    assert not passes({"n": [1]}, data)


def test_filters_are_alternatives():
    both = RecordFilter(['{"data": {"n": [1]}}', '{"data": {"n": [2]}}'])
    assert [both.passes(f'{{"n": {n}}}'.encode()) for n in (1, 2, 3)] == [True, True, False]


def test_alternatives_may_be_on_the_top_level():
    either = RecordFilter(['{"$or": [{"data": {"n": [1]}}, {"data": {"n": [2]}}]}'])
    assert [either.passes(f'{{"n": {n}}}'.encode()) for n in (1, 2, 3)] == [True, True, False]


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "not an object"),
        ("{}", "not an object"),
        ('{"data": "text"}', "not an object"),
        ('{"data": {"n": 1}}', "not an object"),
        ('{"data": {"n": []}}', "empty"),
        ('{"data": {"n": [[1]]}}', "no such rule"),
        ('{"data": {"n": [{"wildcard": "a*"}]}}', "no such rule"),
        ('{"data": {"n": [{"prefix": 1}]}}', "no such rule"),
        ('{"data": {"n": [{"prefix": "a", "suffix": "b"}]}}', "no such rule"),
        ('{"data": {"n": [{"exists": "yes"}]}}', "no such rule"),
        ('{"data": {"n": [{"anything-but": []}]}}', "no such rule"),
        ('{"data": {"n": [{"anything-but": [null]}]}}', "no such rule"),
        ('{"data": {"n": [{"numeric": [">"]}]}}', "no such rule"),
        ('{"data": {"n": [{"numeric": [">", "1"]}]}}', "no such rule"),
        ('{"data": {"n": [{"numeric": ["!=", 1]}]}}', "no such rule"),
        ('{"data": {"$or": [{"n": [1]}]}}', "two patterns"),
        ('{"partitionKey": ["a"]}', "only 'data'"),
        ('{"$or": [{"data": {"n": [1]}}, {"partitionKey": ["a"]}]}', "only 'data'"),
    ],
)
def test_a_pattern_that_aws_does_not_document_is_refused(pattern, reason):
    with pytest.raises(PatternError, match=reason):
        RecordFilter([pattern])


def test_more_filters_than_aws_takes_are_refused():
    with pytest.raises(PatternError, match="more than 10"):
        read_filter({"Filters": [{"Pattern": '{"data": {"n": [1]}}'}] * 11})
