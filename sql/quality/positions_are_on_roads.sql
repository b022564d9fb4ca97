-- name: positions_are_on_roads
-- severity: warn
-- owner: data-platform
-- meaning: A truck reports 0,0 or a pole, where no road is. Devices without a GPS fix send this.
-- action: Check the antenna if it lasts. Ask the maker of the device to send null without a fix.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
select
    TRUCK_ID,
    EVENT_TIME,
    1 as READINGS,
    'at ' || GPS_LATITUDE::string || ', ' || GPS_LONGITUDE::string as SAMPLE_KEY
from STAGED_NEW_READINGS
where {{ is_no_position("GPS_LATITUDE", "GPS_LONGITUDE") }};
