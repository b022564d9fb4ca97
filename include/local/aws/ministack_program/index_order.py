"""A query of an index costs what it finds.

MiniStack sorts the whole partition for each query, and parses the key condition again for each item of it: the newest
click of an hour costs the hour.  Here the partitions of an index that is ordered by the table's own key keep that
order, and a query with a condition of the usual form is given the items of its range alone.  Every check, the
comparison, the page and the answer stay MiniStack's; other queries and indexes are read as before.
"""

import functools
import re
from bisect import bisect_left, bisect_right, insort
from contextvars import ContextVar

from ministack.services import dynamodb

USUAL_CONDITION = re.compile(r"[\w#]+ = :\w+(?: AND [\w#]+ (?:(>=|>) (:\w+)|BETWEEN (:\w+) AND (:\w+)))?")
# No text is between another and the same with this behind it.
AFTER = "\0"

# The query that is being answered, as sent.
asked = ContextVar("asked", default=None)


class Partition(dict):
    """A partition as MiniStack keeps it, ``{(partition key, sort key): None}``, and its keys in order."""

    def __init__(self, keys=()):
        super().__init__(keys)
        self.ordered = sorted(self)

    def __setitem__(self, key, value):
        if key not in self:
            insort(self.ordered, key)
        super().__setitem__(key, value)

    def pop(self, key, default=None):
        if key in self:
            del self.ordered[bisect_left(self.ordered, key)]
        return super().pop(key, default)


class Partitions(dict):
    def setdefault(self, value, default):
        return super().setdefault(value, Partition(default))


class Found:
    """Of each partition, the keys that a query asks for."""

    def __init__(self, table, partitions, query):
        self.table, self.partitions, self.query = table, partitions, query

    def get(self, value, default):
        partition = self.partitions.get(value)
        return default if partition is None else keys_in_range(self.table, partition.ordered, self.query)


def ordered_by_table_key(table, index):
    """Whether the index has the table's partition key as sort key, and text as both keys of the table."""
    hashes, ranges = dynamodb._index_key_lists(index)
    keys = [table["pk_name"], table.get("sk_name")]
    return len(hashes) == 1 and ranges == keys[:1] and all(dynamodb._get_attr_type(table, key) == "S" for key in keys)


def keys_in_range(table, ordered, query):
    """Return the keys that a page of the query may hold, or all keys if its condition has another form."""
    condition = USUAL_CONDITION.fullmatch(query.get("KeyConditionExpression") or "")
    if condition is None:
        return ordered
    values = query.get("ExpressionAttributeValues") or {}
    comparison, bound, least, most = condition.groups()
    first, end = 0, len(ordered)
    if bound or least:
        first = bisect_left(ordered, (values[bound or least]["S"] + (AFTER if comparison == ">" else ""),))
    if most:
        end = bisect_left(ordered, (values[most]["S"] + AFTER,))
    forward, cursor = query.get("ScanIndexForward", True), query.get("ExclusiveStartKey")
    if cursor:
        key = tuple(dynamodb._extract_key_val(cursor[table[name]]) for name in ("pk_name", "sk_name"))
        first = max(first, bisect_right(ordered, key)) if forward else first
        end = end if forward else min(end, bisect_left(ordered, key))
    limit = int(query.get("Limit") or len(ordered))
    return ordered[first : min(end, first + limit)] if forward else ordered[max(first, end - limit) : end]


def index_members(table):
    members = members_of(table)
    for name, partitions in members.items():
        if not isinstance(partitions, Partitions) and ordered_by_table_key(table, dynamodb._index_def(table, name)):
            members[name] = Partitions((value, Partition(keys)) for value, keys in partitions.items())
    query = asked.get()
    if query is None:
        return members
    return {name: Found(table, each, query) if isinstance(each, Partitions) else each for name, each in members.items()}


def query(data):
    token = asked.set(data)
    try:
        return whole_query(data)
    finally:
        asked.reset(token)


members_of, dynamodb._index_members = dynamodb._index_members, index_members
whole_query, dynamodb._query = dynamodb._query, query

# Both are functions of the expression's text, and are asked once per item.
dynamodb._condition_syntax_error = functools.lru_cache(1024)(dynamodb._condition_syntax_error)
tokens_of = functools.lru_cache(1024)(dynamodb._tokenize)
dynamodb._tokenize = lambda expression: list(tokens_of(expression))
