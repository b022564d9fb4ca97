-- name: positions_do_not_jump
-- severity: warn
-- owner: data-platform
-- meaning: A truck is farther from its last position than any truck can drive in that time. One of
--   the two positions is wrong, or two devices send under one name.
-- action: If the truck returns to its road, the device lost its fix. If it keeps jumping between
--   two roads, find the second device that sends the same truck_id.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
with MOVES as (
    select
        *,
        datediff('millisecond', PREVIOUS_TIME, EVENT_TIME) / 1000 as SECONDS,
        {{ miles_between(
            "PREVIOUS_LATITUDE", "PREVIOUS_LONGITUDE", "GPS_LATITUDE", "GPS_LONGITUDE"
        ) }} as MILES
    from STAGED_NEW_READINGS
    -- No position is near 0,0 or a pole: positions_are_on_roads has those.
    where
        abs(GPS_LATITUDE - PREVIOUS_LATITUDE) + abs(GPS_LONGITUDE - PREVIOUS_LONGITUDE) > 0.02
        and not {{ is_no_position("GPS_LATITUDE", "GPS_LONGITUDE") }}
        and not {{ is_no_position("PREVIOUS_LATITUDE", "PREVIOUS_LONGITUDE") }}
)

select
    TRUCK_ID,
    EVENT_TIME,
    1 as READINGS,
    round(MILES)::integer::string || ' miles in ' || round(SECONDS)::integer::string
    || ' s, to ' || GPS_LATITUDE::string || ', ' || GPS_LONGITUDE::string as SAMPLE_KEY
from MOVES
where MILES > {{ plausible.position_error }} + {{ plausible.top_speed }} * SECONDS / 3600;
