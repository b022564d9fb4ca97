-- Grain: one row, the state of the pipe as a JSON object.  Snowflake's services layer answers, so
-- no warehouse wakes up.
select system$pipe_status('TRUCK_TELEMETRY_PIPE') as STATUS;
