"""Tells when the last copy of an erased truck is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.links import alert_links
from clicks_to_deliveries.notifiers.run_outbox import Rows, RunOutbox, Variables
from clicks_to_deliveries.operators.killable import Killable
from include import names
from include.alerts import Alert, compose
from include.erasure import kept_tables
from include.erasure.copies import Copy, Erasure, TableFacts, copies

PAGE = "docs/erasure.md"


def record_erasure(
    rows: Rows, run_id: str, at: datetime, tables: Mapping[str, TableFacts], message: datetime | None
) -> None:
    """Keep what decides how long copies stay; a try that follows another one knows the tables of both."""
    key = f"{names.ERASURE_PREFIX}{run_id}"
    before = rows.get(key)
    known = _erasure(key, before).tables if before else {}
    erasure = Erasure(run_id=run_id, erased_at=at, tables={**known, **tables}, load_message_at=message)
    rows.put(key, msgspec.json.encode(erasure).decode())


def _erasure(key: str, text: str) -> Erasure:
    try:
        return msgspec.json.decode(text, type=Erasure)
    except msgspec.MsgspecError as error:
        raise AirflowFailException(f"Variable {key} can't be read: {error}") from error


class CheckErasuresOperator(Killable, BaseOperator):
    """Logs what still holds a copy of each erased truck, and until when.  Stores an alert when the last one is gone.

    It needs no warehouse, and asks Snowflake only while an erasure is open.

    :param stream_retention_hours: of Kinesis.

    Returns the end of the last copy by the run that erased.
    """

    def __init__(
        self, *, stream_retention_hours: int, snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.stream_retention_hours = stream_retention_hours
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, str]:
        """Check every open erasure.

        Raises:
            AirflowSkipException: none is open.
            AirflowFailException: somebody changed a Variable; all other erasures are checked.
            snowflake.connector.errors.Error: Snowflake did not answer; the next run checks the same.
        """
        rows = Variables()
        keys = rows.keys(names.ERASURE_PREFIX)
        if not keys:
            raise AirflowSkipException("no erased truck has copies left")
        ends, damaged = {}, []
        with closing(connect(self.snowflake_conn_id)) as connection:
            tables, offsets = kept_tables.table_facts(connection), kept_tables.stream_offsets(connection)
            for key in keys:
                if text := rows.get(key):
                    try:
                        erasure = _erasure(key, text)
                    except AirflowFailException as error:
                        damaged.append(str(error))
                        continue
                    found = copies(
                        erasure,
                        tables,
                        kept_tables.unread_streams(offsets, erasure.erased_at),
                        raw_table=names.RAW_TABLE,
                        stream_retention=timedelta(hours=self.stream_retention_hours),
                    )
                    ends[erasure.run_id] = found[-1].until.isoformat()
                    self._report(rows, key, erasure, found, context)
        if damaged:
            raise AirflowFailException("; ".join(damaged))
        return ends

    def _report(self, rows: Rows, key: str, erasure: Erasure, found: Sequence[Copy], context: Context) -> None:
        left = [copy for copy in found if copy.until > datetime.now(UTC)]
        if left:
            self.log.info("%s: may still hold the truck: %s", erasure.run_id, "; ".join(map(str, left)))
            return
        # After a crash between the two, the next run stores the same alert under the same id.
        RunOutbox(rows).add(_last_copy_gone(erasure, found, context))
        rows.delete(key)
        self.log.info("%s: the last copy is gone; an alert is stored", erasure.run_id)


def _last_copy_gone(erasure: Erasure, found: Sequence[Copy], context: Context) -> Alert:
    links = alert_links()
    erased_by = links.run(names.dag("erase_truck"), erasure.run_id)
    return compose(
        alert_id=f"erasure/{erasure.run_id}",
        state="recovered",
        severity="warning",
        dag_id=context["dag"].dag_id,
        concerned=["the last copy of an erased truck is gone"],
        details="\n".join(
            [f"The last copy of the truck that {erased_by} erased is gone. Each store kept its own:", *map(str, found)]
        ),
        impact="nothing to do; keep this message as the end of the erasure",
        since=erasure.erased_at,
        run_id=context["run_id"],
        links=links,
        stored_at=datetime.now(UTC),
        runbook=PAGE,
        incident=f"erasure/{erasure.run_id}",
        is_over=True,
    )
