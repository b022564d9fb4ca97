-- Rows of one truck, or naming it, in each table; binds as in erase_truck.sql.
-- Grain: one row per table.
select
    'TRUCK_TELEMETRY_RAW' as STORE,
    count(*) as FOUND
from TRUCK_TELEMETRY_RAW
where TRUCK_ID = {{ bind("truck_id") }}
union all
select
    'TRUCK_TELEMETRY_DATA' as STORE,
    count(*) as FOUND
from TRUCK_TELEMETRY_DATA
where TRUCK_ID = {{ bind("truck_id") }}
union all
select
    'KNOWN_TRUCKS' as STORE,
    count(*) as FOUND
from KNOWN_TRUCKS
where TRUCK_ID = {{ bind("truck_id") }}
union all
select
    'TRACKER_ASSIGNMENTS' as STORE,
    count(*) as FOUND
from TRACKER_ASSIGNMENTS
where {{ bind("truck_id") }} in (REPORTED_ID, TRUCK_ID)
union all
select
    'PLAUSIBILITY_FINDINGS' as STORE,
    count(*) as FOUND
from PLAUSIBILITY_FINDINGS
where TRUCK_ID = {{ bind("truck_id") }}
union all
select
    'DATA_QUALITY_RESULTS' as STORE,
    count(*) as FOUND
from DATA_QUALITY_RESULTS
where
    contains(SAMPLES, {{ bind("whole_key") }})
    or contains(SAMPLES, {{ bind("begin_of_key") }})
    or (
        STATUS = 'error'
        and MESSAGE <> {{ bind("instead") }}
        and regexp_instr(' ' || MESSAGE || ' ', {{ bind("by_itself") }}) > 0
    )
union all
select
    'CONSERVATION_LEDGER' as STORE,
    count(*) as FOUND
from CONSERVATION_LEDGER
where contains(DETAILS, {{ bind("within_text") }})
union all
select
    'ALERTS' as STORE,
    count(*) as FOUND
from ALERTS
where
    MESSAGE <> {{ bind("instead") }}
    and regexp_instr(' ' || MESSAGE || ' ', {{ bind("by_itself") }}) > 0;
