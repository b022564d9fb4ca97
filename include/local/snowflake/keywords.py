"""Words that Snowflake reserves: none is a name unless it is quoted.

https://docs.snowflake.com/en/sql-reference/reserved-keywords
"""

from __future__ import annotations

from sqlglot import exp

from . import errors

# Neither a table, a column nor any other name.
RESERVED = frozenset({
    "ALL", "ALTER", "AND", "ANY", "AS", "BETWEEN", "BY", "CHECK", "COLUMN", "CONNECT", "CREATE", "CURRENT",
    "DELETE", "DISTINCT", "DROP", "ELSE", "EXISTS", "FOLLOWING", "FOR", "FROM", "GRANT", "GROUP", "HAVING", "ILIKE",
    "IN", "INCREMENT", "INSERT", "INTERSECT", "INTO", "IS", "LIKE", "MINUS", "NOT", "NULL", "OF", "ON", "OR",
    "ORDER", "QUALIFY", "REGEXP", "REVOKE", "RLIKE", "ROW", "ROWS", "SAMPLE", "SELECT", "SET", "SOME", "START",
    "TABLE", "TABLESAMPLE", "THEN", "TO", "TRIGGER", "UNION", "UNIQUE", "UPDATE", "VALUES", "WHENEVER", "WHERE",
    "WITH",
})  # fmt: skip
_NO_TABLE = RESERVED | frozenset({"CROSS", "FULL", "INNER", "JOIN", "LATERAL", "LEFT", "NATURAL", "RIGHT", "USING"})
_NO_COLUMN = RESERVED | frozenset(
    {"CONSTRAINT", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "CURRENT_USER", "LOCALTIME", "LOCALTIMESTAMP"}
)


def check(expression: exp.Expr) -> None:
    """Refuse a reserved word as a name, which sqlglot reads as one.

    Raises:
        SnowflakeError: 001003, a table, an alias or a column has such a name.
    """
    for name in expression.find_all(exp.Identifier):
        if not name.quoted and name.name.upper() in _forbidden_to(name.parent):
            # sqlglot knows where a word ends.
            line, column = name.meta.get("line", 1), name.meta.get("col", len(name.name)) - len(name.name)
            raise errors.compilation_error(f"syntax error line {line} at position {column} unexpected '{name.name}'.")


def _forbidden_to(named: exp.Expr | None) -> frozenset[str]:
    match named:
        case exp.Table() | exp.TableAlias():
            return _NO_TABLE
        case exp.ColumnDef():
            return _NO_COLUMN
        case exp.Column() | exp.Alias():
            return RESERVED
    return frozenset()
