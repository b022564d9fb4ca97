-- How many trucks have sent something new while findings stay open.
-- Grain: one row.
select count(*) as TRUCKS
from TRUCK_TELEMETRY_DATA
where
    IS_CURRENT
    and LOAD_TIMESTAMP >= dateadd('hour', -{{ plausible.open_hours | int }}, sysdate());
