"""A local Snowflake for this pipeline: fakesnow (DuckDB) behind Snowflake's wire protocol, plus what it lacks.

From the wire to the disk: ``server`` (HTTP, request ids) -> ``session`` (one login: context, dispatch) and its
``transaction`` -> one module a subject (``account``, ``parameters``, ``ddl``, ``stages``, ``copy_plan`` and
``copy_into`` with ``load_history``, ``pipes`` and ``snowpipe``, ``streams``, ``merge``, ``functions``) -> ``catalog``
(objects that DuckDB has not), ``instance`` (DuckDB files, locks), ``storage`` (S3).  ``grammar`` parses the statements
that sqlglot does not, ``errors`` are Snowflake's, ``fakesnow_adapter`` is the place where fakesnow's internals are
touched; ``translations`` keeps what it made of a statement.  What differs from Snowflake is listed in DEVIATIONS.md.
"""
