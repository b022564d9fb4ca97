"""Items come from DynamoDB in another thread, while their session is at work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

import pytest
from snowflake.connector import errors

from include.quality.item_staging import ItemStaging
from include.quality.staged_items import SOURCES, ItemsError, Row

pytestmark = pytest.mark.unit

ITEM: Row = ("I1", "Item", "I1", "I1")


class Session:
    """A connection that notes the tables of its statements; ``tell`` is called with each."""

    def __init__(self, tell: Callable[[str, str], None] = lambda verb, table: None) -> None:
        self.sent: list[tuple[str, str]] = []
        self._tell = tell

    def cursor(self) -> Session:
        return self

    def execute(self, statement: str, _values: Sequence[Any] = (), **_: Any) -> None:
        (table,) = (source.name for source in SOURCES.values() if source.table in statement)
        self.sent.append(("insert" if "insert into" in statement else "create", table))
        self._tell(*self.sent[-1])

    def close(self) -> None:
        pass


class Reader:
    """Items of each source; ``wait`` is called before a source is read."""

    def __init__(self, wait: Callable[[str], Any] = lambda source: None) -> None:
        self._wait = wait

    def rows(self, source: str) -> list[Row]:
        self._wait(source)
        return [ITEM[: len(SOURCES[source].columns)] + (None,) * (len(SOURCES[source].columns) - len(ITEM))]


def staging(session: Session, open_reader: Callable[[], Any], *sources: str) -> ItemStaging:
    return ItemStaging(session, open_reader, sources or SOURCES)  # type: ignore[arg-type]


def test_what_has_come_is_staged_while_clicks_are_on_their_way():
    staged = Event()

    def tell(verb: str, table: str) -> None:
        if (verb, table) == ("insert", "click_items"):
            staged.set()

    def wait(source: str) -> None:
        assert source != "recent_clicks" or staged.wait(20)

    session = Session(tell)
    with staging(session, lambda: Reader(wait)) as items:
        assert {items.problem(source) for source in SOURCES} == {None}
    assert session.sent == [(verb, source) for verb in ("create", "insert") for source in SOURCES]


def test_only_what_rules_read_is_read():
    session = Session()
    with staging(session, Reader, "click_items") as items:
        assert items.problem("click_items") is None
    assert session.sent == [("create", "click_items"), ("insert", "click_items")]


def test_a_reader_that_can_not_be_made_is_asked_for_once_and_is_the_problem_of_every_source():
    asked = []

    def open_reader() -> Any:
        asked.append(None)
        raise ItemsError("no connection")

    with staging(Session(), open_reader) as items:
        assert {items.problem(source) for source in SOURCES} == {"no connection"}
    assert len(asked) == 1


def test_a_source_that_can_not_be_read_or_staged_leaves_the_others():
    def wait(source: str) -> None:
        if source == "truck_states":
            raise ItemsError("too few")

    def tell(verb: str, table: str) -> None:
        if (verb, table) == ("create", "recent_clicks"):
            raise errors.ProgrammingError(msg="no privilege")

    with staging(Session(tell), lambda: Reader(wait)) as items:
        assert items.problem("truck_states") == "too few"
        assert items.problem("click_items") is None
        assert "no privilege" in str(items.problem("recent_clicks"))
