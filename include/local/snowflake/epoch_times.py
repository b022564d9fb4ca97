"""Numbers, and texts of digits, as times since 1970-01-01 00:00 UTC.

fakesnow shifts them by the session's time zone, knows four scales only, and reads every text of digits as seconds.
"""

from __future__ import annotations

from sqlglot import exp

from . import errors

_TIMESTAMP = "_epoch_timestamp"
_WITH_TIME_ZONE = (exp.DType.TIMESTAMPLTZ, exp.DType.TIMESTAMPTZ)

# A text of digits has the unit that its size suggests, and a negative one is in seconds.  A number's unit is 10^-scale
# seconds, and a fraction counts.  https://docs.snowflake.com/en/sql-reference/functions/to_timestamp
# Times as text come first, as they are by far the most.
_MACRO = """
    CREATE MACRO IF NOT EXISTS "{database}"._epoch_timestamp(val, scale) AS (
        CASE
            WHEN try_cast(val AS BIGINT) IS NULL THEN CAST(val AS TIMESTAMP)
            WHEN typeof(val) = 'VARCHAR' AND NOT regexp_full_match(val::VARCHAR, '\\s*[+-]?[0-9]+\\s*')
            THEN CAST(val AS TIMESTAMP)
            WHEN typeof(val) = 'VARCHAR' THEN make_timestamp(
                CASE
                    WHEN try_cast(val AS BIGINT) < 31536000000 THEN try_cast(val AS BIGINT) * 1000000
                    WHEN try_cast(val AS BIGINT) < 31536000000000 THEN try_cast(val AS BIGINT) * 1000
                    WHEN try_cast(val AS BIGINT) < 31536000000000000 THEN try_cast(val AS BIGINT)
                    ELSE try_cast(val AS BIGINT) // 1000
                END
            )
            ELSE make_timestamp(
                CASE
                    WHEN typeof(val) IN ('DOUBLE', 'FLOAT') OR typeof(val) LIKE 'DECIMAL%'
                    THEN round(try_cast(val AS DOUBLE) * 10 ** (6 - scale))::BIGINT
                    WHEN scale <= 6 THEN try_cast(val AS BIGINT) * (10 ** greatest(6 - scale, 0))::BIGINT
                    ELSE try_cast(val AS BIGINT) // (10 ** greatest(scale - 6, 0))::BIGINT
                END
            )
        END
    )
"""


def macro(database: str) -> str:
    """Return the statement that creates the macro that translations call, if the database lacks it."""
    return _MACRO.format(database=database)


def mark_instants(expression: exp.Expr) -> None:
    """Replace TO_TIMESTAMP_LTZ and TO_TIMESTAMP_TZ of numbers and digits, before fakesnow takes them for local times.

    Raises:
        SnowflakeError: the scale of a conversion is not 0 to 9.
    """
    for node in list(expression.find_all(exp.UnixToTime)):
        scale = node.args.get("scale") or exp.Literal.number(0)
        if scale.is_int and not 0 <= int(scale.to_py()) <= 9:
            raise errors.compilation_error(f"invalid scale {scale.to_py()}: it is 0 to 9", 1007, "22023")
        to = node.args.get("target_type")
        if to is not None and to.this in _WITH_TIME_ZONE:
            call = exp.Anonymous(this=_TIMESTAMP, expressions=[node.this, scale])
            node.replace(exp.Anonymous(this="timezone", expressions=[exp.Literal.string("UTC"), call]))


def replace_timestamps(translated: exp.Expr) -> None:
    """Replace fakesnow's macro for casts and conversions to a timestamp, in place, after it translated."""
    for node in translated.find_all(exp.Anonymous):
        if str(node.this).lower() == "_fs_to_timestamp":
            node.set("this", _TIMESTAMP)
