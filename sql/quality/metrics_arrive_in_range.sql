-- name: metrics_arrive_in_range
-- severity: warn
-- owner: data-platform
-- meaning: In the last day, metrics were sent outside their range. By CTD_NULL_OUT_OF_RANGE they
--   are NULL in the history, and the rest of the reading is kept.
-- action: A value such as -200, 255 or 65535 that repeats is the device's "not available"; a
--   position is missing while a truck has no fix. Other values are a broken sensor. Ask the truck's
--   owner. A metric of many trucks at a time is a firmware or a producer.
-- runbook: a-truck-is-odd
with OUT_OF_RANGE as (
    select
        ARRIVED.TRUCK_ID,
        ARRIVED.EVENT_TIME,
        NULLED.KEY as METRIC_NAME,
        NULLED.VALUE::string as SENT
    from TRUCK_TELEMETRY_RAW as ARRIVED,
        lateral flatten(input => parse_json(ARRIVED.NULLED_METRICS)) as NULLED
    where
        ARRIVED.ARRIVAL_TIME >= dateadd('day', -1, sysdate())
        and ARRIVED.NULLED_METRICS is not null
),

BY_TRUCK as (
    select
        TRUCK_ID,
        METRIC_NAME,
        count(distinct EVENT_TIME) as READINGS,
        max(EVENT_TIME) as LAST_TIME,
        max_by(SENT, EVENT_TIME) as SENT,
        count(*) over (partition by METRIC_NAME) as TRUCKS
    from OUT_OF_RANGE
    group by TRUCK_ID, METRIC_NAME
)

-- One line per truck and metric, or one per metric where more than five trucks have it.
select
    iff(TRUCKS > 5, TRUCKS || ' trucks', min(TRUCK_ID)) || ' ' || METRIC_NAME || ', readings: '
    || sum(READINGS)::integer || ', sent last: ' || max_by(SENT, LAST_TIME) as SAMPLE_KEY
from BY_TRUCK
group by METRIC_NAME, TRUCKS, iff(TRUCKS > 5, null, TRUCK_ID);
