-- The positions of one truck on a day (`begins` to `ends`), without those that don't count.
-- Grain: one row per time slice with a position: its last one.  Slices bound the rows.
with LEGS as (
    {% filter trim(";\n") %}{% include "dashboard/legs_of_day.sql" %}{% endfilter %}
),

POSITIONS as (
    select
        greatest(STARTS_AT, to_timestamp_ntz({{ bind("begins") }})) as AT_TIME,
        LATITUDE,
        LONGITUDE,
        SPEED,
        KIND
    from LEGS
    -- A version that opened before the day says where the truck was when the day began.
    where HAS_FIX or (STARTS_AT < to_timestamp_ntz({{ bind("begins") }}) and LATITUDE is not null)
)

select
    max(AT_TIME) as LAST_TIME,
    max_by(LATITUDE, AT_TIME) as GPS_LATITUDE,
    max_by(LONGITUDE, AT_TIME) as GPS_LONGITUDE,
    max_by(SPEED, AT_TIME) as SPEED,
    max_by(KIND, AT_TIME) as KIND
from POSITIONS
group by time_slice(AT_TIME, {{ bind("slice_seconds") }}, 'SECOND')
order by LAST_TIME
limit {{ bind("limit") }};
