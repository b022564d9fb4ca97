-- Decisions of people about whose readings a tracker sends: where a truck got another tracker, or a
-- tracker another truck (docs/fleet-register.md).  The DAG fleet_register writes it.
-- Grain: one row per decision.  Key: REPORTED_ID, FROM_TIME; the periods of one id never overlap.
-- Readings outside every period belong to the truck of the reported id.  A decision is final for
-- its readings: assignments don't chain.  All times are UTC.
create table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRACKER_ASSIGNMENTS (
    REPORTED_ID string not null comment 'TRUCK_ID in the readings',
    FROM_TIME timestamp_ntz not null comment 'First event time; 0001-01-01: from the beginning',
    UNTIL_TIME timestamp_ntz not null comment 'End of the period, exclusive; 9999-12-31: open',
    TRUCK_ID string not null comment 'The truck that these readings belong to',
    DECIDED_AT timestamp_ntz not null comment 'When it was decided',
    DECIDED_BY string not null comment 'Who decided',
    REASON string not null comment 'Why'
)
comment = 'Readings that belong to another truck than the one they name';

-- The history of every truck with its assigned readings.  Grain: one row per version.
-- Key: TRUCK_ID, EFFECTIVE_START_DATE.  REPORTED_ID sent the reading that opens the version.
-- Without assignments it is TRUCK_TELEMETRY_DATA.  The history of a truck that an assignment names
-- is derived from RAW, by the same definition: stored versions have forgotten the readings at a
-- seam.  A view has no rows of its own, so it can be replaced.
create or replace view {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_HISTORY
copy grants
comment = 'Truck history, SCD Type 2, with the readings that were assigned to another truck'
as
with ASSIGNED as (
    select
        REPORTED_ID,
        FROM_TIME,
        UNTIL_TIME,
        TRUCK_ID
    from {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRACKER_ASSIGNMENTS
),

-- Trucks that an assignment names; some of them more than once, which changes nothing below.
TOUCHED as (
    select REPORTED_ID as TRUCK_ID
    from ASSIGNED
    union all
    select TRUCK_ID
    from ASSIGNED
),

-- Which readings belong to the touched trucks: the assigned ones, those before each assignment of
-- an id, and those after its last.  It is small, so that only these readings of RAW are read, and
-- none for a truck that no assignment names.
SPANS as (
    select
        TRUCK_ID,
        REPORTED_ID,
        FROM_TIME,
        UNTIL_TIME
    from ASSIGNED
    union all
    select
        REPORTED_ID as TRUCK_ID,
        REPORTED_ID,
        lag(UNTIL_TIME, 1, '0001-01-01'::timestamp_ntz) over (
            partition by REPORTED_ID
            order by FROM_TIME
        ) as FROM_TIME,
        FROM_TIME as UNTIL_TIME
    from ASSIGNED
    union all
    select
        TOUCHED.TRUCK_ID,
        TOUCHED.TRUCK_ID as REPORTED_ID,
        coalesce(max(ASSIGNED.UNTIL_TIME), '0001-01-01'::timestamp_ntz) as FROM_TIME,
        '9999-12-31'::timestamp_ntz as UNTIL_TIME
    from TOUCHED
    left join ASSIGNED on TOUCHED.TRUCK_ID = ASSIGNED.REPORTED_ID
    group by TOUCHED.TRUCK_ID
),

MAPPED as (
    select
        RAW.* exclude (TRUCK_ID),
        SPANS.TRUCK_ID,
        SPANS.REPORTED_ID
    from {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW as RAW
    inner join SPANS
        on
            RAW.TRUCK_ID = SPANS.REPORTED_ID
            and RAW.EVENT_TIME >= SPANS.FROM_TIME
            and RAW.EVENT_TIME < SPANS.UNTIL_TIME
),

-- One reading per truck and instant, then the first of each run of equal ones.
READINGS as (
    select
        *,
        hash({{ attributes() }}) as STATE
    from MAPPED
    qualify row_number() over ({{ last_arrival_first() }}) = 1
),

OPENINGS as (
    select *
    from READINGS
    qualify
        STATE is distinct from
        lag(STATE) over (partition by TRUCK_ID order by EVENT_TIME)
),

DERIVED as (
    select
        *,
        lead(EVENT_TIME) over (partition by TRUCK_ID order by EVENT_TIME) as END_TIME
    from OPENINGS
)

select
    {{ history_columns("STORED") }},
    STORED.TRUCK_ID as REPORTED_ID
from {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA as STORED
where STORED.TRUCK_ID not in (select TOUCHED.TRUCK_ID from TOUCHED)
union all
select
    TRUCK_ID,
    LOAD_TIMESTAMP,
    EVENT_TIME as EFFECTIVE_START_DATE,
    END_TIME as EFFECTIVE_END_DATE,
    END_TIME is null as IS_CURRENT,
    {{ attributes() }},
    REPORTED_ID
from DERIVED;
