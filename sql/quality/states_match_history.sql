-- name: states_match_history
-- severity: fail
-- owner: data-platform
-- meaning: A truck's state in DynamoDB and its history differ, although everything on its way has
--   had 15 minutes to arrive: the API and Snowflake contradict each other.
-- action: If the state is behind or missing, check whether TruckDataProcessor failed to write
--   TruckLatestState. If it differs, check whether the history is behind (pipe, merge). Then
--   rebuild the one that is wrong from the archive.
-- reads: truck_states
-- runbook: the-stores-disagree
with STATES as (
    select
        TRUCK_ID,
        try_cast(EVENT_TIME as timestamp_ntz) as EVENT_TIME,
        try_cast(INGESTED_AT as timestamp_ntz) as INGESTED_AT,
        {{ attributes() }}
    from STAGED_TRUCK_STATES
),

-- The version that a state must have reached: the newest one that was loaded long enough ago.
MERGED as (
    select
        TRUCK_ID,
        max(EFFECTIVE_START_DATE) as EFFECTIVE_START_DATE
    from TRUCK_TELEMETRY_DATA
    where
        LOAD_TIMESTAMP < dateadd('minute', -15, sysdate())
        and (IS_CURRENT or EFFECTIVE_START_DATE >= dateadd('day', -1, sysdate()))
    group by TRUCK_ID
),

BEHIND as (
    select
        MERGED.TRUCK_ID,
        iff(STATES.TRUCK_ID is null, ' has no state', ' state is behind') as PROBLEM
    from MERGED
    left join STATES on MERGED.TRUCK_ID = STATES.TRUCK_ID
    where
        STATES.EVENT_TIME is null
        or STATES.EVENT_TIME < MERGED.EFFECTIVE_START_DATE
),

-- A state that was written long enough ago equals the truck's current version in every attribute.
-- A number came here as text on the one path and as JSON on the other: two readers may make
-- neighbouring floats of it.  DynamoDB keeps no number closer to zero than 1e-130.
DIFFERENT as (
    select
        STATES.TRUCK_ID,
        iff(VERSIONS.TRUCK_ID is null, ' has no history', ' differs from its history') as PROBLEM
    from STATES
    left join TRUCK_TELEMETRY_DATA as VERSIONS
        on
            STATES.TRUCK_ID = VERSIONS.TRUCK_ID
            and VERSIONS.IS_CURRENT
    where
        STATES.INGESTED_AT < dateadd('minute', -15, sysdate())
        and coalesce(VERSIONS.LOAD_TIMESTAMP < dateadd('minute', -15, sysdate()), true)
        and STATES.TRUCK_ID not in (
            select WAITING.TRUCK_ID from TRUCK_TELEMETRY_STREAM as WAITING
        )
        and STATES.TRUCK_ID not in (select BEHIND.TRUCK_ID from BEHIND)
        and (
            VERSIONS.TRUCK_ID is null
            {%- for metric in metrics %}
                {%- set name = metric.name | upper %}
                {%- if metric.kind == "number" %}
                    or coalesce(
                        abs(STATES.{{ name }} - VERSIONS.{{ name }})
                        > abs(VERSIONS.{{ name }}) * 1e-14 + 1e-130,
                        STATES.{{ name }} is distinct from VERSIONS.{{ name }}
                    )
                {%- else %}
                    or STATES.{{ name }} is distinct from VERSIONS.{{ name }}
                {%- endif %}
            {%- endfor %}
        )
)

select TRUCK_ID || PROBLEM as SAMPLE_KEY
from BEHIND
union all
select TRUCK_ID || PROBLEM as SAMPLE_KEY
from DIFFERENT;
