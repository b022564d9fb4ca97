-- name: metrics_are_reported
-- severity: warn
-- owner: data-platform
-- meaning: A truck's current version lacks metrics: a sensor is silent, or the device sends another
--   shape.
-- action: Compare it with the record from the device (raw-archive/ in S3). A new device may have
--   other names for its fields.
-- runbook: a-truck-is-odd
select TRUCK_ID as SAMPLE_KEY
from TRUCK_TELEMETRY_DATA
where
    IS_CURRENT
    -- The last version of a truck that left the fleet is kept as it was last seen.
    and TRUCK_ID not in (
        select FLEET.TRUCK_ID
        from FLEET
        where FLEET.RETIRED_AT <= sysdate()
    )
    and (
        false
        {%- for metric in metrics %}
            or {{ metric.name | upper }} is null
        {%- endfor %}
    );
