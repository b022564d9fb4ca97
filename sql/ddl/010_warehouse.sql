-- The warehouse that runs merges and queries.  It suspends after a minute without work, so it costs
-- nothing while no truck reports.  Re-runnable: an existing warehouse keeps the size it was given.
create warehouse if not exists TRUCK_TELEMETRY_WH
warehouse_size = XSMALL
auto_suspend = 60
auto_resume = true
initially_suspended = true
comment = 'Merges truck telemetry and serves the dashboard';
