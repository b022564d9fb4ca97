-- The warehouses.  One runs merges and their checks, the other answers the dashboard: a page that
-- is left open never wakes the first.  Each suspends soon after its last statement, so it costs
-- nothing while no truck reports.  The first does so early: a merge and the check that follows it
-- fit in the minute that a resume is billed at least (docs/cost.md).
-- Re-runnable: an existing warehouse keeps what it was given.
-- No statement of the pipeline runs for longer than two hours (by default it would be two days).
-- No task may take longer, and each task's own statements end with its execution_timeout.
create warehouse if not exists {{ env }}TRUCK_TELEMETRY_WH
warehouse_size = XSMALL
auto_suspend = 20
auto_resume = true
initially_suspended = true
statement_timeout_in_seconds = 7200
comment = 'Merges truck telemetry and checks it';

-- For a warehouse that was created before it had this limit.
alter warehouse {{ env }}TRUCK_TELEMETRY_WH set statement_timeout_in_seconds = 7200;

-- A statement gives up waiting for a warehouse after this time, as the setting says
-- (docs/snowflake-governance.md); 0: never.
alter warehouse {{ env }}TRUCK_TELEMETRY_WH
set statement_queued_timeout_in_seconds = {{ params.queued_timeout | default("600") }};

create warehouse if not exists {{ env }}TRUCK_TELEMETRY_READER_WH
warehouse_size = XSMALL
auto_suspend = 60
auto_resume = true
initially_suspended = true
statement_timeout_in_seconds = 300
comment = 'Serves the dashboard';

alter warehouse {{ env }}TRUCK_TELEMETRY_READER_WH
set statement_queued_timeout_in_seconds = {{ params.queued_timeout | default("600") }};
