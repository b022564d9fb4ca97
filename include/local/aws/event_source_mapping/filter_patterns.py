"""A mapping's filter criteria: which records of a Kinesis stream reach its function.

The rules are those of https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html and, for ``data``,
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html.  A pattern is checked when it is read: one
that can't be applied is refused, because it would let other records pass.  PyPI has no maintained library for these
patterns.  The pipeline's own mappings have no filter: a record that a filter drops would end in no store.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

# AWS's quota of filters per mapping (ten on request).
MAX_FILTERS = 10
# Numeric rules apply up to this magnitude; a larger number matches none.
NUMERIC_LIMIT = Decimal("5e9")

_COMPARISONS: Mapping[str, Callable[[Decimal, Decimal], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Pattern = Mapping[str, Any]


class PatternError(ValueError):
    """The filter criteria are not as AWS documents; the message names the part."""


class Number(str):
    """A JSON number as text: 300 and 300.0 differ, as on AWS."""

    __slots__ = ()


class RecordFilter:
    """Filter criteria, ready to use.

    Raises:
        PatternError: a pattern can't be applied.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        if len(patterns) > MAX_FILTERS:
            raise PatternError(f"{len(patterns)} filters are more than {MAX_FILTERS}")
        self._texts = tuple(patterns)
        self._patterns = [_parse_pattern(text) for text in patterns]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordFilter) and other._texts == self._texts

    def __hash__(self) -> int:
        return hash(self._texts)

    def passes(self, data: bytes) -> bool:
        """Whether a record's data matches at least one pattern; data that is not valid JSON matches none."""
        try:
            event = {"data": _parse_json(data)}
        except (ValueError, RecursionError):
            return False
        return any(_matches(pattern, event) for pattern in self._patterns)


def read_filter(criteria: Mapping[str, Any] | None) -> RecordFilter | None:
    """Read the ``FilterCriteria`` of ListEventSourceMappings; return None where every record passes.

    Raises:
        PatternError: a pattern can't be applied.
    """
    filters = (criteria or {}).get("Filters") or []
    return RecordFilter([each.get("Pattern", "") for each in filters]) if filters else None


def _parse_json(text: str | bytes) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=refuse)


def _parse_pattern(text: str) -> Pattern:
    try:
        pattern: Pattern = _parse_json(text)
    except (ValueError, RecursionError) as error:
        raise PatternError(f"filter pattern {text[:80]!r} is not JSON: {error}") from error
    _check_object(pattern, text)
    for key in _top_keys(pattern):
        if key != "data":
            raise PatternError(f"filter pattern {text[:80]!r} names {key!r}; only 'data' can be filtered")
    return pattern


def _top_keys(pattern: Pattern) -> set[str]:
    nested = [_top_keys(each) for each in pattern.get("$or", ())]
    return (set(pattern) - {"$or"}).union(*nested)


def _check_object(pattern: Any, text: str) -> None:
    if not isinstance(pattern, dict) or not pattern:
        raise PatternError(f"filter pattern {text[:80]!r}: {str(pattern)[:40]!r} is not an object with fields")
    for key, rule in pattern.items():
        if key == "$or":
            if not isinstance(rule, list) or len(rule) < 2:
                raise PatternError(f"filter pattern {text[:80]!r}: '$or' needs a list of two patterns or more")
            for each in rule:
                _check_object(each, text)
        elif isinstance(rule, list):
            if not rule:
                raise PatternError(f"filter pattern {text[:80]!r}: the list of {key!r} is empty")
            for condition in rule:
                if not _is_valid_condition(condition):
                    raise PatternError(f"filter pattern {text[:80]!r}: no such rule for {key!r}: {condition!s:.80}")
        else:
            _check_object(rule, text)


def _is_valid_condition(condition: Any) -> bool:
    if not isinstance(condition, dict):
        return not isinstance(condition, list)  # A value to be equal to.
    if len(condition) != 1:
        return False
    ((rule, operand),) = condition.items()
    match rule:
        case "prefix" | "suffix" | "equals-ignore-case":
            return type(operand) is str
        case "exists":
            return isinstance(operand, bool)
        case "anything-but":
            values = operand if isinstance(operand, list) else [operand]
            return bool(values) and all(isinstance(value, str) for value in values)
        case "numeric":
            return _is_valid_comparison(operand)
    return False


def _is_valid_comparison(operand: Any) -> bool:
    return (
        isinstance(operand, list)
        and len(operand) in (2, 4)
        and all(sign in _COMPARISONS for sign in operand[::2])
        and all(isinstance(bound, Number) for bound in operand[1::2])
    )


def _matches(pattern: Pattern, event: Mapping[str, Any]) -> bool:
    """Whether all fields of the pattern match the event (AND)."""
    return all(_field_matches(key, rule, event) for key, rule in pattern.items())


def _field_matches(key: str, rule: Any, event: Mapping[str, Any]) -> bool:
    if key == "$or":
        return any(_matches(each, event) for each in rule)
    value = event.get(key)
    if isinstance(rule, dict):
        # A missing object has no fields: {"exists": false} matches it.
        objects = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else [value]
        return any(_matches(rule, each if isinstance(each, dict) else {}) for each in objects or [{}])
    # A rule matches a list if it matches one of its values.
    values = value if isinstance(value, list) else [value] if key in event else []
    leaves = [each for each in values if not isinstance(each, (dict, list))]
    return any(_condition_matches(condition, leaves) for condition in rule)


def _condition_matches(condition: Any, leaves: Sequence[Any]) -> bool:
    if not isinstance(condition, dict):
        return any(_equal(condition, leaf) for leaf in leaves)
    ((rule, operand),) = condition.items()
    texts = [leaf for leaf in leaves if type(leaf) is str]
    match rule:
        case "exists":
            # Only a leaf exists in this sense; an object under this name does not.
            return bool(leaves) is operand
        case "prefix":
            return any(text.startswith(operand) for text in texts)
        case "suffix":
            return any(text.endswith(operand) for text in texts)
        case "equals-ignore-case":
            return any(text.casefold() == operand.casefold() for text in texts)
        case "anything-but":
            excluded = operand if isinstance(operand, list) else [operand]
            return any(not any(_equal(each, leaf) for each in excluded) for leaf in leaves)
    numbers = [Decimal(leaf) for leaf in leaves if isinstance(leaf, Number)]
    return any(abs(number) <= NUMERIC_LIMIT and _compares(operand, number) for number in numbers)


def _equal(expected: Any, leaf: Any) -> bool:
    """Whether type and value are equal: the text "1", the number 1 and true are three values."""
    return type(expected) is type(leaf) and expected == leaf


def _compares(operand: Sequence[Any], number: Decimal) -> bool:
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(_COMPARISONS[sign](number, Decimal(bound)) for sign, bound in pairs)
