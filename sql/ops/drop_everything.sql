-- Takes back what sql/ddl made, the history with it.  Re-runnable; nothing of it can be undone
-- (but for the database, with UNDROP, within its time-travel retention).
drop database if exists ECOMMERCE_DATA;
drop integration if exists TRUCK_TELEMETRY_INTEGRATION;
drop warehouse if exists TRUCK_TELEMETRY_WH;
drop role if exists TRUCK_TELEMETRY_READER;
drop role if exists TRUCK_TELEMETRY_TRANSFORMER;
