"""Our macros of DuckDB, which translations call.  They are in the account's database: they need no current one."""

from __future__ import annotations

from sqlglot import exp

GLOBAL_DATABASE = "_fs_global"
LIKE = "CAST_TO_TYPE"

_STEP = """
    CREATE MACRO IF NOT EXISTS {database}._flatten_step(path, name) AS (
        CASE WHEN NOT regexp_full_match(name, '[A-Za-z_][A-Za-z0-9_]*') THEN path || '[''' || name || ''']'
             WHEN path = '' THEN name ELSE path || '.' || name END
    )
"""
_WITHOUT_NULLS = """
    CREATE MACRO IF NOT EXISTS {database}._without_nulls(elements) AS list_filter(elements, lambda x: x IS NOT NULL)
"""
# A null is an empty text.
_ARRAY_TO_STRING = """
    CREATE MACRO IF NOT EXISTS {database}._array_to_string(elements, separator) AS array_to_string(
        list_transform(CAST(to_json(elements) AS JSON[]), lambda x: coalesce(json_extract_string(x, '$'), '')),
        separator
    )
"""
# The elements of an array or object, as FLATTEN lists them; only_kind is NULL for both.
_FLATTEN = """
    CREATE MACRO IF NOT EXISTS {database}._flatten(input, start, is_outer, only_kind) AS TABLE
        SELECT
            hash(to_json(input))::UBIGINT AS SEQ,
            e.k AS KEY,
            CASE WHEN e.empty THEN start WHEN e.i IS NULL THEN {database}._flatten_step(start, e.k)
                 ELSE start || '[' || e.i || ']' END AS PATH,
            e.i AS INDEX,
            e.v AS VALUE,
            val AS THIS
        FROM (
            SELECT unnest(
                CASE WHEN is_outer AND len(coalesce(elements, [])) = 0
                     THEN [struct_pack(k := NULL::VARCHAR, i := NULL::BIGINT, v := NULL::JSON, empty := true)]
                     ELSE elements END,
                recursive := true
            ), val
            FROM (
                SELECT CASE
                    WHEN kind = 'OBJECT' AND coalesce(only_kind, kind) = kind THEN list_transform(
                        json_keys(val),
                        lambda x: struct_pack(
                            k := x, i := NULL::BIGINT,
                            v := json_extract(val, '/' || replace(replace(x, '~', '~0'), '/', '~1')), empty := false
                        )
                    )
                    WHEN kind = 'ARRAY' AND coalesce(only_kind, kind) = kind THEN list_transform(
                        CAST(val AS JSON[]),
                        lambda x, n: struct_pack(k := NULL::VARCHAR, i := (n - 1)::BIGINT, v := x, empty := false)
                    )
                END AS elements, val
                FROM (
                    SELECT val, json_type(val) AS kind FROM (
                        SELECT json_extract(
                            to_json(input), '$' || CASE WHEN start = '' THEN '' ELSE '.' || start END
                        ) AS val
                    )
                )
            )
        ) AS e(k, i, v, empty, val)
"""


def creation_sql() -> str:
    """The statements that create the macros that an account lacks."""
    return ";".join(
        each.format(database=GLOBAL_DATABASE) for each in (_STEP, _FLATTEN, _WITHOUT_NULLS, _ARRAY_TO_STRING)
    )


def call(macro: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=f"{GLOBAL_DATABASE}.{macro}", expressions=list(arguments))


def like(value: exp.Expr, other: exp.Expr) -> exp.Anonymous:
    """``value`` cast to the type of ``other``, whatever that is: DuckDB learns it later than we."""
    return exp.Anonymous(this=LIKE, expressions=[value.copy(), other.copy()])
