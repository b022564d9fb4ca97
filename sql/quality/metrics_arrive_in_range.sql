-- name: metrics_arrive_in_range
-- severity: warn
-- owner: data-platform
-- meaning: Metrics were sent outside their range. By CTD_NULL_OUT_OF_RANGE they are NULL in the
--   history, and the rest of the reading is kept.
-- action: A value that repeats, such as -200, 255 or 65535, is the device's "not available"; a
--   position is missing while a truck has no fix. Other values are a broken sensor. Ask the truck's
--   owner. A cause of the whole fleet is a firmware or a producer.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
select
    TRUCK_ID,
    EVENT_TIME,
    1 as READINGS,
    translate(NULLED_METRICS, '{}"', '') as SAMPLE_KEY
from STAGED_NEW_READINGS
where NULLED_METRICS is not null;
