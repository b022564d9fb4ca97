"""Values of parameters, as kept in the catalog: time zone, statement timeouts, and the retention of tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from . import errors
from .catalog import ACCOUNT, Catalog
from .names import Key

DEFAULT_TIME_ZONE = "America/Los_Angeles"
STATEMENT_TIMEOUT = "STATEMENT_TIMEOUT_IN_SECONDS"
QUEUED_TIMEOUT = "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS"
DEFAULT_STATEMENT_TIMEOUT = 172_800  # two days
MOST_STATEMENT_TIMEOUT = 604_800  # a week; 0 stands for it
_ACCOUNT_KIND = "ACCOUNT PARAMETER"
_ACCOUNT_KEY = (*ACCOUNT, "TIMEZONE")
# Session parameters that are accepted and change nothing here.
IGNORED = frozenset({
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS", "LOCK_TIMEOUT", "ABORT_DETACHED_QUERY", "USE_CACHED_RESULT",
    "CLIENT_SESSION_KEEP_ALIVE", "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT",
})  # fmt: skip
# What a login, and a single statement, may state.  MULTI_STATEMENT_COUNT is num_statements: the parser counts itself.
OF_LOGIN = IGNORED | {"AUTOCOMMIT", "QUERY_TAG", "TIMEZONE", STATEMENT_TIMEOUT}
OF_STATEMENT = IGNORED | {"MULTI_STATEMENT_COUNT", "QUERY_TAG", STATEMENT_TIMEOUT}
TABLE_KIND = "TABLE PARAMETERS"
RETENTION = "DATA_RETENTION_TIME_IN_DAYS"
# Kept beside the parameters of a table that was created so; no statement sets it later.
TRANSIENT = "TRANSIENT"


@dataclass(frozen=True)
class TableParameter:
    default: int
    maximum: int
    description: str


# Streams use them (``retention_days``); time travel itself is refused.
TABLE_PARAMETERS = {
    RETENTION: TableParameter(
        1, 90, "number of days to retain the old version of deleted/updated data"
    ),
    "MAX_DATA_EXTENSION_TIME_IN_DAYS": TableParameter(
        14, 90, "Maximum number of days to extend data retention beyond the retention period to prevent a stream"
        " becoming stale.",
    ),
}  # fmt: skip


def check_known(names: Iterable[str], known: frozenset[str]) -> None:
    """Refuse parameters that a client states and that would change nothing.

    Raises:
        SnowflakeError: a name is neither one of ``known`` nor the client's own.
    """
    for name in names:
        if name not in known and not name.startswith("CLIENT_"):
            raise errors.unsupported(f"the session parameter {name}")


def switch(name: str, value: Any) -> bool:
    """The value of a parameter that is TRUE or FALSE.

    Raises:
        SnowflakeError: it is anything else.
    """
    text = str(value).upper()
    if text not in ("TRUE", "FALSE"):
        raise errors.compilation_error(f"invalid value [{value}] for parameter '{name}'", 1008, "22023")
    return text == "TRUE"


# --- time zones -------------------------------------------------------------------------------------------------------


def account_time_zone(catalog: Catalog, duck: duckdb.DuckDBPyConnection) -> str:
    """The time zone of every session that does not set one, including Snowpipe's."""
    return str(catalog.definition_of(duck, _ACCOUNT_KIND, _ACCOUNT_KEY).get("VALUE", DEFAULT_TIME_ZONE))


def keep_account_time_zone(catalog: Catalog, duck: duckdb.DuckDBPyConnection, name: str | None) -> None:
    """Set the account's time zone; None sets it back to the default."""
    catalog.keep(duck, _ACCOUNT_KIND, _ACCOUNT_KEY, {} if name is None else {"VALUE": name})


def set_time_zone(duck: duckdb.DuckDBPyConnection, name: str) -> None:
    """Set a connection's time zone.

    Raises:
        SnowflakeError: there is no such zone.
    """
    try:
        duck.execute(f"SET TimeZone = '{name.replace(chr(39), '')}'")
    except duckdb.Error as error:
        raise errors.compilation_error(f"invalid value '{name}' for parameter 'TIMEZONE'", 1008, "22023") from error


# --- statement timeouts -----------------------------------------------------------------------------------------------


def statement_timeout(catalog: Catalog, session: int | None, user: str, warehouse: str | None) -> int:
    """Return after how many seconds a statement is cancelled.

    A session's value hides the user's, and the user's the account's; of that and the warehouse's, the lower one that is
    not zero holds.
    """
    account = account_statement_timeout(catalog)
    values = (session, catalog.statement_timeout("USER", user), account, DEFAULT_STATEMENT_TIMEOUT)
    stated = next(value for value in values if value is not None)
    of_warehouse = catalog.statement_timeout("WAREHOUSE", warehouse) if warehouse else None
    return min(stated or MOST_STATEMENT_TIMEOUT, of_warehouse or MOST_STATEMENT_TIMEOUT)


def account_statement_timeout(catalog: Catalog) -> int | None:
    return catalog.statement_timeout(_ACCOUNT_KIND, STATEMENT_TIMEOUT)


def keep_account_statement_timeout(catalog: Catalog, duck: duckdb.DuckDBPyConnection, seconds: int | None) -> None:
    """Set the account's statement timeout; None sets it back to the default."""
    definition = {} if seconds is None else {STATEMENT_TIMEOUT: seconds}
    catalog.keep(duck, _ACCOUNT_KIND, (*ACCOUNT, STATEMENT_TIMEOUT), definition)


def timeout_seconds(value: Any) -> int:
    """The value of STATEMENT_TIMEOUT_IN_SECONDS, as a statement has it.

    Raises:
        SnowflakeError: it is no number of seconds, or more than a week.
    """
    text = str(value)
    if not text.isdigit() or int(text) > MOST_STATEMENT_TIMEOUT:
        raise errors.compilation_error(f"invalid value [{text}] for parameter '{STATEMENT_TIMEOUT}'", 1008, "22023")
    return int(text)


# --- tables -----------------------------------------------------------------------------------------------------------


def of_table(catalog: Catalog, duck: duckdb.DuckDBPyConnection, table: Key) -> dict[str, int]:
    """The parameters that are set for ``table``; the others have their default."""
    return catalog.definition_of(duck, TABLE_KIND, table)


def keep(catalog: Catalog, duck: duckdb.DuckDBPyConnection, table: Key, values: dict[str, int]) -> None:
    """Set the parameters of ``table``, in the place of all that were set."""
    catalog.keep(duck, TABLE_KIND, table, values)


def retention_days(catalog: Catalog, duck: duckdb.DuckDBPyConnection, table: Key) -> int:
    """How long a stream on ``table`` may be left unread: the larger of retention and its extension, in days."""
    values = of_table(catalog, duck, table)
    return max(values.get(name, parameter.default) for name, parameter in TABLE_PARAMETERS.items())


def days(name: str, value: Any) -> int:
    """The value of the table parameter ``name``, as a statement has it.

    Raises:
        SnowflakeError: it is no number of days, or too many.
    """
    text, maximum = str(value), TABLE_PARAMETERS[name].maximum
    if not text.isdigit() or int(text) > maximum:
        raise errors.compilation_error(f"invalid value [{text}] for parameter '{name}'", 1008, "22023")
    return int(text)
