"""The functions that a COPY may transform with: Snowflake runs no other in a load.

https://docs.snowflake.com/en/user-guide/data-load-transform
"""

from __future__ import annotations

import re

from sqlglot import exp

from . import errors

_CALL = re.compile(r"([A-Z_][A-Z0-9_$]*)\(")
# Operators, CASE and :: are no calls.  COALESCE stands for NVL and IFNULL, which sqlglot does not tell from it.
_ALLOWED = frozenset({
    "ARRAY_CONSTRUCT", "ARRAY_SIZE", "ASCII", "CAST", "CEIL", "CHECK_JSON", "CHECK_XML", "CHAR", "CHR", "COALESCE",
    "CONCAT", "CONVERT_TIMEZONE", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "DATE", "ENDSWITH",
    "EQUAL_NULL", "FLOOR", "GET", "GET_PATH", "GREATEST", "IFF", "IFNULL", "LEAST", "LEFT", "LEN", "LENGTH",
    "LOWER", "LTRIM", "MD5", "MD5_HEX", "MOD", "NULLIF", "NULLIFZERO", "NVL", "NVL2", "OBJECT_CONSTRUCT",
    "PARSE_IP", "PARSE_JSON", "PARSE_URL", "PARSE_XML", "REGEXP_REPLACE", "REGEXP_SUBSTR", "REPLACE", "RIGHT",
    "ROUND", "RTRIM", "SHA1", "SHA1_HEX", "SHA2", "SHA2_HEX", "SPLIT", "SPLIT_PART", "STARTSWITH", "SUBSTR",
    "SUBSTRING", "SYSDATE", "TIME", "TO_ARRAY", "TO_BINARY", "TO_BOOLEAN", "TO_CHAR", "TO_DATE", "TO_DECIMAL",
    "TO_DOUBLE", "TO_NUMBER", "TO_NUMERIC", "TO_OBJECT", "TO_TIME", "TO_TIMESTAMP", "TO_TIMESTAMP_LTZ",
    "TO_TIMESTAMP_NTZ", "TO_TIMESTAMP_TZ", "TO_VARCHAR", "TO_VARIANT", "TRIM", "TRUNC", "TRUNCATE", "TRY_CAST",
    "TRY_TO_BINARY", "TRY_TO_BOOLEAN", "TRY_TO_DATE", "TRY_TO_DECIMAL", "TRY_TO_DOUBLE", "TRY_TO_NUMBER",
    "TRY_TO_NUMERIC", "TRY_TO_TIME", "TRY_TO_TIMESTAMP", "TRY_TO_TIMESTAMP_LTZ", "TRY_TO_TIMESTAMP_NTZ",
    "TRY_TO_TIMESTAMP_TZ", "UPPER", "XMLGET", "ZEROIFNULL",
})  # fmt: skip


def check(selected: exp.Expr) -> None:
    """Refuse a function that Snowflake does not run in a COPY.

    Raises:
        SnowflakeError: ``selected``, an expression of the transformation, calls one, or has a subquery.
    """
    if selected.find(exp.Query):
        raise errors.compilation_error("COPY statement only supports simple SELECT from stage statements for import.")
    for node in selected.find_all(exp.Func):
        call = _CALL.match(node.sql("snowflake").upper())
        if call and call[1] not in _ALLOWED:
            raise errors.compilation_error(f"Function '{call[1]}' not supported within a COPY.")
