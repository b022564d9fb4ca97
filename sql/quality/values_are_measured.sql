-- name: values_are_measured
-- severity: warn
-- owner: data-platform
-- meaning: A metric has a value that the vehicle's bus uses for "not available" or "error" (0xFF,
--   0xFFFF), decoded as if it were measured.
-- action: Ask the maker of the device to send null instead. The list of such values is in
--   include/plausibility.py.
-- reads: new_readings
-- notify: once
-- runbook: a-reading-is-implausible
with CHECKED as (
    select
        TRUCK_ID,
        EVENT_TIME,
        trim(
            ''
            {%- for each in sentinels %}
                {%- set name = each.metric | upper %}
                || iff(
                    {{ name }} between {{ each.low }} and {{ each.high }},
                    ' {{ name }} ' || {{ name }}::string,
                    ''
                )
            {%- endfor %}
        ) as SAMPLE_KEY
    from STAGED_NEW_READINGS
    where
        false
        {%- for each in sentinels %}
            or {{ each.metric | upper }} between {{ each.low }} and {{ each.high }}
        {%- endfor %}
)

select
    TRUCK_ID,
    EVENT_TIME,
    1 as READINGS,
    SAMPLE_KEY
from CHECKED;
