-- name: streams_carry_as_usual
-- severity: warn
-- owner: data-platform
-- meaning: In the last closed hour a stream had less than half or more than twice its usual records
--   for that hour of the day (the median of two weeks; no result in the first week).
-- action: Less: check whether devices or the site are silent, or whether their sender fails. More:
--   check the newest landing files or clicks for a sender that repeats itself.
-- runbook: readings-are-missing-or-late
with HOURS as (
    select
        STREAM_NAME,
        ARRIVAL_HOUR,
        ARCHIVED,
        max(ARRIVAL_HOUR) over (partition by STREAM_NAME) as LAST_HOUR
    from CONSERVATION_LEDGER
    where
        not IS_OPEN
        and ARRIVAL_HOUR >= dateadd('day', -15, sysdate())
),

-- If reconcile does not run, the ledger says nothing about the last hour.
LATEST as (
    select
        STREAM_NAME,
        ARRIVAL_HOUR,
        ARCHIVED
    from HOURS
    where
        ARRIVAL_HOUR = LAST_HOUR
        and ARRIVAL_HOUR >= dateadd('hour', -4, sysdate())
),

USUAL as (
    select
        LATEST.STREAM_NAME,
        median(HOURS.ARCHIVED) as ARCHIVED
    from LATEST
    inner join HOURS
        on
            LATEST.STREAM_NAME = HOURS.STREAM_NAME
            and LATEST.ARRIVAL_HOUR > HOURS.ARRIVAL_HOUR
            and date_part('hour', LATEST.ARRIVAL_HOUR) = date_part('hour', HOURS.ARRIVAL_HOUR)
    group by LATEST.STREAM_NAME
    having count(*) >= 7
)

select
    LATEST.STREAM_NAME || ' ' || LATEST.ARRIVAL_HOUR::string || ' ' || LATEST.ARCHIVED::string
    || ', usually ' || round(USUAL.ARCHIVED)::integer::string as SAMPLE_KEY
from LATEST
inner join USUAL on LATEST.STREAM_NAME = USUAL.STREAM_NAME
where
    LATEST.ARCHIVED < USUAL.ARCHIVED / 2
    or LATEST.ARCHIVED > USUAL.ARCHIVED * 2;
