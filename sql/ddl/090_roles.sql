-- Three roles, each with the rights that its work needs, for the users of Airflow, erasure and the
-- dashboard.
-- The provisioning user (with CREATE INTEGRATION and CREATE ROLE) owns the objects.  SYSADMIN
-- inherits the roles: an administrator may do what each of them may.
create role if not exists TRUCK_TELEMETRY_TRANSFORMER
comment = 'Airflow: watches the pipe, merges the history, checks it';
create role if not exists TRUCK_TELEMETRY_ERASER
comment = 'DAG erase_truck: erases one truck from every table';
create role if not exists TRUCK_TELEMETRY_READER
comment = 'Dashboard: reads, and nothing else';

grant role TRUCK_TELEMETRY_TRANSFORMER to role SYSADMIN;
grant role TRUCK_TELEMETRY_ERASER to role SYSADMIN;
grant role TRUCK_TELEMETRY_READER to role SYSADMIN;

grant usage on warehouse TRUCK_TELEMETRY_WH to role TRUCK_TELEMETRY_TRANSFORMER;
grant usage on database ECOMMERCE_DATA to role TRUCK_TELEMETRY_TRANSFORMER;
grant usage on schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_TRANSFORMER;
grant select on all tables in schema ECOMMERCE_DATA.TRUCK_TELEMETRY
to role TRUCK_TELEMETRY_TRANSFORMER;
grant select on view ECOMMERCE_DATA.TRUCK_TELEMETRY.FLEET to role TRUCK_TELEMETRY_TRANSFORMER;
grant select on view ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_HISTORY
to role TRUCK_TELEMETRY_TRANSFORMER;
grant select on stream ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
to role TRUCK_TELEMETRY_TRANSFORMER;
grant select on stream ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_PLAUSIBILITY_STREAM
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete
on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.PLAUSIBILITY_FINDINGS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.ALERTS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRACKER_ASSIGNMENTS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant monitor, operate on pipe ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role TRUCK_TELEMETRY_TRANSFORMER;

-- Only the eraser may delete readings from these tables.  Give it a user of its own, because all
-- roles of a user are active together.
grant usage on warehouse TRUCK_TELEMETRY_WH to role TRUCK_TELEMETRY_ERASER;
grant usage on database ECOMMERCE_DATA to role TRUCK_TELEMETRY_ERASER;
grant usage on schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_ERASER;
grant select, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
to role TRUCK_TELEMETRY_ERASER;
grant select, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
to role TRUCK_TELEMETRY_ERASER;
grant select, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS
to role TRUCK_TELEMETRY_ERASER;
grant select on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRACKER_ASSIGNMENTS
to role TRUCK_TELEMETRY_ERASER;
grant select, insert, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.PLAUSIBILITY_FINDINGS
to role TRUCK_TELEMETRY_ERASER;
grant select on stream ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_PLAUSIBILITY_STREAM
to role TRUCK_TELEMETRY_ERASER;
grant select, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
to role TRUCK_TELEMETRY_ERASER;
grant select, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
to role TRUCK_TELEMETRY_ERASER;
grant select, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.ALERTS
to role TRUCK_TELEMETRY_ERASER;
grant monitor on pipe ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role TRUCK_TELEMETRY_ERASER;

grant usage on warehouse TRUCK_TELEMETRY_WH to role TRUCK_TELEMETRY_READER;
grant usage on database ECOMMERCE_DATA to role TRUCK_TELEMETRY_READER;
grant usage on schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_READER;
grant select on all tables in schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_READER;
grant select on view ECOMMERCE_DATA.TRUCK_TELEMETRY.FLEET to role TRUCK_TELEMETRY_READER;
grant select on view ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_HISTORY to role TRUCK_TELEMETRY_READER;
grant monitor on pipe ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role TRUCK_TELEMETRY_READER;
