-- What each role may do: what its work needs, and nothing next to it.  The roles are made once, by
-- an administrator (sql/bootstrap/identities.sql); the deployer owns the objects and grants.

grant usage on warehouse {{ env }}TRUCK_TELEMETRY_WH to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant usage on database {{ env }}ECOMMERCE_DATA to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant usage on schema {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant select on all tables in schema {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant select on view {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.FLEET
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant select on view {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_HISTORY
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant select on stream {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant select on stream {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_PLAUSIBILITY_STREAM
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete
on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PLAUSIBILITY_FINDINGS
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.ALERTS
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant insert, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRACKER_ASSIGNMENTS
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant monitor, operate on pipe {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
-- The lease of each writer, and what it needs to cancel the statements that a dead one left, of
-- whichever user.
grant insert, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.WRITERS
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant monitor, operate on warehouse {{ env }}TRUCK_TELEMETRY_WH
to role {{ env }}TRUCK_TELEMETRY_TRANSFORMER;

-- The repairer writes the history too, and owns the stream that it replaces (040_raw.sql).
grant usage on warehouse {{ env }}TRUCK_TELEMETRY_WH to role {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant usage on database {{ env }}ECOMMERCE_DATA to role {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant usage, create stream on schema {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
to role {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant select on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
to role {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant select, insert, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
to role {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant select, insert, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS
to role {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant select, insert, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.WRITERS
to role {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant monitor, operate on warehouse {{ env }}TRUCK_TELEMETRY_WH
to role {{ env }}TRUCK_TELEMETRY_REPAIRER;

-- Only the eraser may delete readings from these tables.
grant usage on warehouse {{ env }}TRUCK_TELEMETRY_WH to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant usage on database {{ env }}ECOMMERCE_DATA to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant usage on schema {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRACKER_ASSIGNMENTS
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, insert, delete on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PLAUSIBILITY_FINDINGS
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select on stream {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_PLAUSIBILITY_STREAM
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.ALERTS
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant monitor on pipe {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant select, insert, update on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.WRITERS
to role {{ env }}TRUCK_TELEMETRY_ERASER;
grant monitor, operate on warehouse {{ env }}TRUCK_TELEMETRY_WH
to role {{ env }}TRUCK_TELEMETRY_ERASER;

grant usage on warehouse {{ env }}TRUCK_TELEMETRY_READER_WH to role {{ env }}TRUCK_TELEMETRY_READER;
grant usage on database {{ env }}ECOMMERCE_DATA to role {{ env }}TRUCK_TELEMETRY_READER;
grant usage on schema {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
to role {{ env }}TRUCK_TELEMETRY_READER;
grant select on all tables in schema {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
to role {{ env }}TRUCK_TELEMETRY_READER;
grant select on view {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.FLEET
to role {{ env }}TRUCK_TELEMETRY_READER;
grant select on view {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_HISTORY
to role {{ env }}TRUCK_TELEMETRY_READER;
grant monitor on pipe {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role {{ env }}TRUCK_TELEMETRY_READER;
