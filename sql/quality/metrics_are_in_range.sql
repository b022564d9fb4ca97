-- name: metrics_are_in_range
-- severity: fail
-- owner: data-platform
-- meaning: A metric is outside the range of its contract (include/contracts), although the stream's
--   processor quarantines such readings.
-- action: Find the landing file of the reading (FILE_NAME in TRUCK_TELEMETRY_RAW). Most likely a
--   range was narrowed, or something beside TruckDataProcessor writes to the landing zone.
-- runbook: raw-holds-what-it-should-not
with CHECKED as (
    select
        TRUCK_ID,
        EFFECTIVE_START_DATE,
        ''
        {%- for metric in metrics %}
            || iff({{ is_out_of_range(metric) }}, ' {{ metric.name | upper }}', '')
        {%- endfor %} as OUT_OF_RANGE
    from TRUCK_TELEMETRY_DATA
    where EFFECTIVE_START_DATE >= {{ bind("since") }}::timestamp_ntz
)

select TRUCK_ID || ' ' || {{ time_text("EFFECTIVE_START_DATE") }} || OUT_OF_RANGE as SAMPLE_KEY
from CHECKED
where OUT_OF_RANGE <> '';
