"""The statements that set policies and tags, each at the module that knows it."""

from __future__ import annotations

from sqlglot import exp

from . import errors, login_policies, masking, tags, view_texts
from .catalog import MASKED
from .context import Context
from .names import Key
from .policy_grammar import SetAuthenticationPolicy, SetBody, SetMasking, SetSecure, SetTags, Statement
from .results import Result

# What is kept about a table or view, by kind.
KEPT = (MASKED, tags.TAGGED)


def run(context: Context, statement: Statement) -> Result:
    match statement:
        case SetMasking():
            return masking.set_on_columns(context, statement)
        case SetBody():
            return masking.set_body(context, statement)
        case SetTags():
            return tags.set_on(context, statement)
        case SetSecure():
            return view_texts.set_secure(context, statement)
        case SetAuthenticationPolicy():
            return login_policies.set_on_user(context, statement)


def check_definition(context: Context, expression: exp.Expr, table: Key) -> None:
    """Refuse a DDL that would lose a masking policy here and not in an account.

    Raises:
        SnowflakeError: it renames or drops a column of a table with masked columns.
    """
    if expression.find(exp.RenameColumn, exp.Drop) and masking.is_masked(context, table):
        raise errors.unsupported("RENAME or DROP of a column of a table with masked columns (unset the policy first)")


def check_copy(context: Context, expression: exp.Create) -> None:
    """Refuse CREATE TABLE ... LIKE or CLONE of a table with masked columns: an account copies the policies too.

    Raises:
        SnowflakeError: it copies such a table.
    """
    copied = expression.find(exp.LikeProperty, exp.Clone)
    table = copied.this if copied else None
    key = context.table_key(table) if isinstance(table, exp.Table) else None
    if key is not None and masking.is_masked(context, key):
        raise errors.unsupported("LIKE or CLONE of a table with masked columns")
