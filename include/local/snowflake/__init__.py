"""A local Snowflake for this pipeline: fakesnow (DuckDB) behind Snowflake's wire protocol, plus what it lacks.

From the wire to the disk: ``server`` (HTTP, request ids) -> ``session`` (one login: transactions, dispatch) -> one
module a subject (``account``, ``stages``, ``copy_into``, ``pipes`` and ``snowpipe``, ``streams``, ``merge``) ->
``instance`` (DuckDB files, catalog, locks).  ``grammar`` parses the statements that sqlglot does not, and
``fakesnow_adapter`` is the place where fakesnow's internals are touched.  What differs from Snowflake is listed in
DEVIATIONS.md.
"""
