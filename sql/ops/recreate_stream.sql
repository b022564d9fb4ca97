-- Replaces a stream that can't be read any more, because it is stale or its table was replaced.
-- The DAG repair_history runs it, and then sql/ops/rebuild_history.sql, as a role that owns the
-- stream.  In this order nothing is lost: what Snowpipe commits from now on is in the new stream,
-- and what it committed before is in RAW when the rebuild reads it.
-- A crash between the two loses nothing either: the new stream begins with all rows of RAW, so the
-- next merge derives the whole history.  Re-runnable, for the same reason.
create or replace stream {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
append_only = true
show_initial_rows = true
comment = 'Readings that the history does not hold yet';

-- A replaced object loses its grants; this one is from sql/ddl/090_roles.sql.
grant select on stream {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
