-- How many rows of RAW lie on days on which the truck measured, of how many: RAW is clustered by
-- day, so a deletion rewrites about these.
-- Grain: one row.  Reads the two columns that it names, of all of RAW.
with DAYS as (
    select distinct to_date(EVENT_TIME) as EVENT_DAY
    from TRUCK_TELEMETRY_RAW
    where TRUCK_ID = {{ bind("truck_id") }}
)

select
    count(DAYS.EVENT_DAY) as REWRITTEN,
    count(*) as ALL_ROWS
from TRUCK_TELEMETRY_RAW as RAW
left join DAYS on to_date(RAW.EVENT_TIME) = DAYS.EVENT_DAY;
