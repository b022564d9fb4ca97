"""A session's variables: SET, UNSET, $name and GETVARIABLE.  A value is worked out once, by SET."""

from __future__ import annotations

import re
from collections.abc import Callable

from sqlglot import exp

from . import errors
from .results import Result

# A variable, or a text, quoted name or comment, where $ means nothing.
_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.|'')*'|\$\$.*?\$\$|\"[^\"]*\"|--[^\n]*|//[^\n]*|/\*.*?\*/"
    r"|(?<![\w$])\$(?P<name>[A-Za-z_]\w*)",
    re.DOTALL,
)


class Variables:
    """Names in upper case, each with the literal that is its value."""

    def __init__(self, values: dict[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def copy(self) -> Variables:
        return Variables(self._values)

    def inline(self, sql: str) -> str:
        """``sql`` with each variable replaced by its value.

        Raises:
            SnowflakeError: there is no such variable.
        """
        return _TOKEN.sub(self._replacement, sql) if "$" in sql else sql

    def find(self, name: str) -> str | None:
        """The literal that is the value of a variable, or None."""
        return self._values.get(name.upper())

    def run(self, expression: exp.Expr, value_of: Callable[[exp.Expr], exp.Expr]) -> Result:
        """Run a SET, with ``value_of`` to work out its expressions, or an UNSET."""
        if isinstance(expression, exp.Alias):
            self._values.pop(expression.alias.upper(), None)
            return Result.status("Statement executed successfully.")
        for item in expression.expressions:
            names, values = item.this.this, item.this.expression
            is_list = isinstance(names, exp.Tuple) and isinstance(values, exp.Tuple)
            pairs = list(zip(names.expressions, values.expressions, strict=True)) if is_list else [(names, values)]
            found = [(name.name.upper(), value_of(value).sql("snowflake")) for name, value in pairs]
            self._values.update(found)
        return Result.status("Statement executed successfully.")

    def _replacement(self, match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0]
        if (value := self.find(name)) is None:
            raise errors.compilation_error(f"Session variable '${name.upper()}' does not exist", 2211, "02000")
        return value


def changes(expression: exp.Expr) -> bool:
    """Whether a statement is a SET or an UNSET, which sqlglot takes for a column UNSET with an alias."""
    if isinstance(expression, exp.Set):
        return all(isinstance(item, exp.SetItem) and isinstance(item.this, exp.EQ) for item in expression.expressions)
    return isinstance(expression, exp.Alias) and expression.this.name.upper() == "UNSET"
