"""What SHOW TABLES says of a table that DuckDB does not know: whether it is transient, and its retention."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from . import parameter_values
from .context import Context
from .results import Result


def completed(context: Context, result: Result) -> Result:
    """The listing with ``kind`` and ``retention_time`` as they are."""
    names = [name for name, _ in result.types]
    if not {"database_name", "schema_name", "name", "kind", "retention_time"} <= set(names):
        return result
    shown = {name: result.table.column(names.index(name)).to_pylist() for name in names}
    kinds, retentions = [], []
    for database, schema, table, kind in zip(
        shown["database_name"], shown["schema_name"], shown["name"], shown["kind"], strict=True
    ):
        values = parameter_values.of_table(context.catalog, context.duck, (database, schema, table))
        kinds.append("TRANSIENT" if parameter_values.TRANSIENT in values else kind)
        default = parameter_values.TABLE_PARAMETERS[parameter_values.RETENTION].default
        retentions.append(values.get(parameter_values.RETENTION, default))
    found = result.table
    for name, column in (("kind", kinds), ("retention_time", retentions)):
        index = names.index(name)
        field = found.schema.field(index)
        found = found.set_column(index, field.name, pa.array(column).cast(field.type))
    return replace(result, table=found)
