"""Stages the DynamoDB items that rules read in temporary tables of one Snowflake session."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Self

from botocore.exceptions import BotoCoreError, ClientError

from include import sql
from include.quality.staged_items import SOURCES, ItemReader, ItemsError, ItemSource, Row
from include.snowflake_rows import execute_rows

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

INSERT = "insert into {table} ({columns}) values ({values})"
ROWS_PER_INSERT = 1_000


class ItemStaging:
    """A context that reads items in another thread from its beginning, and stages them when it is first asked.

    So they are read while Snowflake does what needs none of them: a warehouse that waits costs as much.

    :param open_reader: makes the reader of items, in the other thread; called only if there is a source.
    :param sources: keys of :data:`SOURCES`.
    """

    def __init__(
        self, connection: SnowflakeConnection, open_reader: Callable[[], ItemReader], sources: Collection[str]
    ) -> None:
        self._connection = connection
        self._open_reader = open_reader
        # Clicks, which take longest, come last: Snowflake stages the others meanwhile.
        self._sources = [source for name, source in SOURCES.items() if name in sources]
        self._aside = ThreadPoolExecutor(1)
        self._rows: dict[str, Future[list[Row]]] = {}

    def __enter__(self) -> Self:
        if self._sources:
            reader = self._aside.submit(self._open_reader)
            self._rows = {source.name: self._aside.submit(_read, reader, source.name) for source in self._sources}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._aside.shutdown(cancel_futures=True)

    def problem(self, source: str) -> str | None:
        """Return why ``source`` could not be staged; None: it is, for the rest of the session."""
        return self._problems.get(source)

    @cached_property
    def _problems(self) -> dict[str, str]:
        """Stage every source; return why some could not be."""
        from snowflake.connector import errors

        problems: dict[str, str] = {}
        # All tables first: some items may be on their way yet.
        for step in (self._create, self._fill):
            for source in self._sources:
                try:
                    if source.name not in problems:
                        step(source)
                except (BotoCoreError, ClientError, ItemsError, errors.Error) as error:
                    problems[source.name] = str(error)
        return problems

    def _create(self, source: ItemSource) -> None:
        with closing(self._connection.cursor()) as cursor:
            cursor.execute(sql.render(source.ddl))

    def _fill(self, source: ItemSource) -> None:
        rows = self._rows[source.name].result()
        values = ", ".join(f"%({column})s" for column in source.columns)
        insert = INSERT.format(table=source.table, columns=", ".join(source.columns), values=values)
        with closing(self._connection.cursor()) as cursor:
            for start in range(0, len(rows), ROWS_PER_INSERT):
                some = rows[start : start + ROWS_PER_INSERT]
                execute_rows(cursor, insert, [dict(zip(source.columns, row, strict=True)) for row in some])


def _read(reader: Future[ItemReader], source: str) -> list[Row]:
    return reader.result().rows(source)
