-- name: temperatures_are_in_celsius
-- severity: warn
-- owner: data-platform
-- meaning: A temperature is impossible in degrees Celsius and usual in Fahrenheit.
-- action: Convert it before it is sent; the contract wants degrees Celsius.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
select
    TRUCK_ID,
    EVENT_TIME,
    1 as READINGS,
    'engine ' || coalesce(ENGINE_TEMPERATURE::string, '-')
    || ', environment ' || coalesce(ENVIRONMENT_TEMPERATURE::string, '-') as SAMPLE_KEY
from STAGED_NEW_READINGS
where
    -- What is hotter still is a sentinel: values_are_measured has it.
    ENGINE_TEMPERATURE between {{ plausible.boiling }} and {{ plausible.hottest_engine }}
    or ENVIRONMENT_TEMPERATURE > {{ plausible.hottest_air }};
