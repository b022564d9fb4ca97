"""Changes the register of the fleet, or shows what a change would do."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import msgspec
from airflow.sdk import BaseOperator, Context

from clicks_to_deliveries.failures import FormError
from clicks_to_deliveries.hooks.snowflake_access import connect
from clicks_to_deliveries.operators.killable import Killable
from clicks_to_deliveries.operators.one_writer import one_writer
from include import names
from include.register import apply, change_of, effect_report


class ChangeRegisterOperator(Killable, BaseOperator):
    """Applies one change to KNOWN_TRUCKS or TRACKER_ASSIGNMENTS (include/register).

    :param plan: (templated) the fields of the form; an empty text is not given.
    :param show_only: (templated) change nothing, and show the counts.

    Returns the effect.  Fails without a retry if the change makes no sense or the register does not permit it.
    """

    template_fields = ("plan", "show_only")

    def __init__(
        self,
        *,
        plan: dict[str, str],
        show_only: bool | str,
        snowflake_conn_id: str = names.SNOWFLAKE_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.plan = plan
        self.show_only = show_only
        self.snowflake_conn_id = snowflake_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        try:
            change = change_of(self.plan)
            with closing(connect(self.snowflake_conn_id)) as connection:
                connection.autocommit(True)
                # A template renders a boolean as text.  Only "False" changes anything.  A dry run writes too, and
                # rolls it back.
                with one_writer(connection, names.REGISTER_WRITER, context):
                    effect = apply(connection, change, dry_run=str(self.show_only) != "False")
        except ValueError as error:
            raise FormError(str(error)) from error
        self.log.info("%s", effect_report(change, effect))
        shown: dict[str, Any] = msgspec.to_builtins(effect)
        return shown
