"""Errors as Snowflake reports them: a number, an SQLSTATE and a message that names the cause."""

from __future__ import annotations

import re

import duckdb
import snowflake.connector.errors
from sqlglot.dialects.snowflake import Snowflake

# DuckDB's message where a name is taken.
_EXISTS = re.compile(r"(?P<kind>\w+) with name \"(?P<name>.*)\" already exists")
# How DuckDB says that a value does not fit into the 64 bits in which INTEGER and NUMBER(38, 0) are kept.
_TOO_LONG = re.compile(r"Overflow in \w+ of INT64|out of range for the destination type INT64")
HISTORY_TOO_OLD = "Cannot retrieve data from more than 14 days ago"
_NO_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")
_TOO_LARGE = re.compile(r"Could not cast value (\S+) to DECIMAL")
_NO_NUMBER = re.compile(r"Could not convert string '(.*)' to (?:DOUBLE|DECIMAL|U?INT\d+)")


class SnowflakeError(Exception):
    """A statement failed; ``errno`` and ``sqlstate`` are Snowflake's where it has them for the case."""

    def __init__(self, message: str, errno: int = 100183, sqlstate: str = "P0000") -> None:
        super().__init__(message)
        self.message = message
        self.errno = errno
        self.sqlstate = sqlstate


class TransientError(SnowflakeError):
    """A service that the statement needs can't be reached now; the same statement may succeed later."""


def compilation_error(message: str, errno: int = 1003, sqlstate: str = "42000") -> SnowflakeError:
    return SnowflakeError(f"SQL compilation error:\n{message}", errno, sqlstate)


def unsupported(feature: str) -> SnowflakeError:
    """Refuse a feature of Snowflake that this server can't honour, instead of doing half of it."""
    return SnowflakeError(f"Unsupported feature of the local Snowflake: {feature}. See DEVIATIONS.md.", 2, "0A000")


def does_not_exist(kind: str, name: str) -> SnowflakeError:
    return compilation_error(f"{kind.capitalize()} '{name}' does not exist or not authorized.", 2003, "42S02")


def insufficient(kind: str, name: str) -> SnowflakeError:
    """Refuse what a role may not do with an object that it may see."""
    return SnowflakeError(
        f"SQL access control error:\nInsufficient privileges to operate on {kind.lower()} '{name}'.", 3001, "42501"
    )


def cannot_be_used() -> SnowflakeError:
    """Refuse to USE a role or warehouse that does not exist."""
    return compilation_error("Object does not exist, or operation cannot be performed.", 2043, "02000")


def already_exists(name: str) -> SnowflakeError:
    return compilation_error(f"Object '{name}' already exists.", 2002, "42710")


def history_too_old() -> SnowflakeError:
    return SnowflakeError(HISTORY_TOO_OLD, 90032, "22023")


def unknown_function(name: str) -> SnowflakeError:
    return compilation_error(f"Unknown function {name}", 2140, "42601")


def _missing_function(name: str) -> SnowflakeError:
    """The error about a function that DuckDB lacks: Snowflake may have it."""
    is_known = name in Snowflake.parser_class.FUNCTIONS or name.startswith("AS_")
    return unsupported(f"the function {name}") if is_known else unknown_function(name)


def division_by_zero() -> SnowflakeError:
    return SnowflakeError("Division by zero", 100051, "22012")


def canceled() -> SnowflakeError:
    return SnowflakeError("SQL execution canceled", 604, "57014")


def timed_out(seconds: int) -> SnowflakeError:
    return SnowflakeError(
        f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was canceled.", 630, "57014"
    )


def as_snowflake_error(error: Exception, sql: str = "") -> SnowflakeError:
    """Convert any exception that ``sql`` raised to an error that a Snowflake client understands."""
    if isinstance(error, SnowflakeError):
        return error
    if isinstance(error, duckdb.ParserException) or isinstance(error.__cause__, duckdb.ParserException):
        # It is valid for Snowflake, but DuckDB can't parse its translation.
        return unsupported(f"the statement {sql[:60]!r}")
    if isinstance(error, snowflake.connector.errors.Error):
        if isinstance(error.__cause__, duckdb.BinderException | duckdb.CatalogException | duckdb.ConversionException):
            return as_snowflake_error(error.__cause__)
        return SnowflakeError(error.raw_msg or str(error), error.errno or 100183, error.sqlstate or "P0000")
    first_line = str(error).split("\n", 1)[0]
    match error:
        case duckdb.CatalogException() if (existing := _EXISTS.search(first_line)) is not None:
            if existing["kind"] == "Column":
                return compilation_error(f"duplicate column name '{existing['name']}'", 2025, "42S21")
            return already_exists(existing["name"])
        case duckdb.CatalogException() if (function := _NO_FUNCTION.search(first_line)) is not None:
            return _missing_function(function[1].upper())
        case duckdb.CatalogException():
            return compilation_error(first_line, 2003, "42S02")
        case duckdb.BinderException() if "column" in first_line.lower():
            return compilation_error(first_line, 904)
        case duckdb.BinderException():
            return compilation_error(first_line)
        case duckdb.InvalidInputException() if HISTORY_TOO_OLD in first_line:
            return history_too_old()
        case duckdb.InvalidInputException() if "Division by zero" in first_line:
            return division_by_zero()
        case duckdb.ConversionException() | duckdb.OutOfRangeException() if _TOO_LONG.search(first_line):
            return unsupported(f"integers beyond 64 bits ({first_line})")
        case duckdb.ConversionException() if no_number := _NO_NUMBER.search(first_line):
            if no_number[1].strip("+- ").isdigit():
                return unsupported(f"integers beyond 64 bits ({first_line})")
            return SnowflakeError(f"Numeric value '{no_number[1]}' is not recognized", 100038, "22018")
        case duckdb.ConversionException() if too_large := _TOO_LARGE.search(first_line):
            return SnowflakeError(f"Numeric value '{too_large[1]}' is out of range", 100039, "22003")
        case duckdb.ConversionException() | duckdb.InvalidInputException() | duckdb.OutOfRangeException():
            return SnowflakeError(first_line, 100035, "22007")
        case duckdb.ConstraintException():
            return SnowflakeError(first_line, 100072, "22000")
        case duckdb.TransactionException():
            return SnowflakeError(f"Transaction aborted: {first_line}", 625, "57014")
        case duckdb.InterruptException():
            return canceled()
        case NotImplementedError():
            return unsupported(first_line)
        case duckdb.Error():
            return SnowflakeError(first_line)
    return SnowflakeError(f"{type(error).__name__}: {first_line}")
