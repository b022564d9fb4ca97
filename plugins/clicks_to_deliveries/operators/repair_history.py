"""Repairs the truck history from RAW."""

from __future__ import annotations

from contextlib import closing
from typing import Any

from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries import operator_links as buttons
from clicks_to_deliveries.failures import FormError
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.asset_events import describe_outlets
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.lineage import WithLineage
from clicks_to_deliveries.operators.merge_history import record_run
from clicks_to_deliveries.operators.one_writer import one_writer
from clicks_to_deliveries.telemetry import count
from include import names, sql
from include.contracts import times
from include.snowflake_rows import NOW, changed_rows, first_row

REPAIR = "repair"
REBUILD = "rebuild"
RECREATE = "recreate the stream and rebuild"
ACTIONS = (REPAIR, REBUILD, RECREATE)

REPAIR_FILE = "ops/repair_history.sql"
REBUILD_FILE = "ops/rebuild_history.sql"
RECREATE_FILE = "ops/recreate_stream.sql"


class RepairHistoryOperator(WithLineage, Killable, BaseOperator):
    """Makes TRUCK_TELEMETRY_DATA agree with TRUCK_TELEMETRY_RAW, and records the run in HISTORY_MERGE_RUNS.

    :param plan: (templated) ``action``, one of ACTIONS, and the scope of a repair: ``truck_id``, ``since``, ``until``
        (ISO 8601, UTC if without offset), each None or empty for all.  A rebuild has no scope.

    Returns {"rows_inserted", "rows_updated", "rows_deleted"}; a repair deletes wrong versions and inserts right ones.
    A retry does everything again, and changes nothing that is right.
    """

    operator_extra_links = (buttons.RUNBOOK, buttons.HISTORY, buttons.MERGE_RUNS, buttons.QUERIES)

    template_fields = ("plan",)

    def __init__(
        self, *, plan: dict[str, Any], snowflake_conn_id: str = names.REPAIRER_SNOWFLAKE_CONNECTION, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, int]:
        try:
            action, scope = action_and_scope(self.plan)
        except ValueError as error:
            raise FormError(str(error)) from error
        with closing(connect(self.snowflake_conn_id)) as connection:
            # Each statement is a transaction.  After a crash between the two, the stream is new and the next merge
            # derives the whole history.
            connection.autocommit(True)
            with one_writer(connection, names.HISTORY_WRITER, context):
                (started_at,) = first_row(connection, NOW)
                if action == RECREATE:
                    connection.execute_string(sql.render(RECREATE_FILE), remove_comments=True)
                    self.log.info("The new stream begins with all rows of %s", names.RAW_TABLE)
                if action == REPAIR:
                    counts = changed_rows(connection, sql.render(REPAIR_FILE), scope)
                else:
                    counts = changed_rows(connection, sql.render(REBUILD_FILE))
                seconds = record_run(connection, f"{action}: {context['run_id']}", started_at, counts)
        shown = {name: value or "all" for name, value in scope.items()}
        self.log.info("%s of %s in %.2f s: %s", action, shown, seconds, counts)
        count("history", {"repairs": 1, **counts})
        describe_outlets(self, context, action=action, **counts)
        return counts


def action_and_scope(plan: dict[str, Any]) -> tuple[str, dict[str, str | None]]:
    """Return the action and the values that it binds.

    Raises:
        ValueError: there is no such action, a time can't be read, or the scope does not fit the action.
    """
    action = plan["action"]
    if action not in ACTIONS:
        raise ValueError(f"action is {action!r}, not one of {', '.join(ACTIONS)}")
    since, until = (times.to_canonical(times.parse(plan[key])) if plan.get(key) else None for key in ("since", "until"))
    scope = {"truck_id": plan.get("truck_id") or None, "since": since, "until": until}
    if action == REPAIR and not any(scope.values()):
        raise ValueError(f"nothing to repair is given: set a truck or a time, or choose '{REBUILD}' for everything")
    if action != REPAIR and any(scope.values()):
        raise ValueError(f"'{action}' has no scope: leave truck and times empty, or choose '{REPAIR}'")
    if since and until and since >= until:
        raise ValueError(f"no time lies at or after {since} and before {until}")
    return action, scope
