-- What merges and queries run on.  Suspends after a minute without work, so it costs nothing while
-- no truck reports.  Re-runnable: an existing warehouse, and the size someone gave it, stays.
create warehouse if not exists TRUCK_TELEMETRY_WH
warehouse_size = XSMALL
auto_suspend = 60
auto_resume = true
initially_suspended = true
comment = 'Merges truck telemetry and serves the dashboard';
