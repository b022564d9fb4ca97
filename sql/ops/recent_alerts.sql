-- The alerts about data that people do not have yet, and those of the last hours.
-- Grain: one row per alert; those that wait come first, the oldest of them at the top.
-- Alerts about failed runs wait in Airflow, not here (docs/alerts.md).
select
    STORED_AT,
    INCIDENT,
    STATE,
    SEVERITY,
    HEADLINE,
    MESSAGE,
    RUN_ID,
    SENT_TO,
    SENT_AT,
    datediff('second', STORED_AT, coalesce(SENT_AT, sysdate())) as SECONDS_UNTIL_SENT
from ALERTS
where
    SENT_AT is null
    or STORED_AT >= dateadd('hour', -{{ bind("hours") }}, sysdate())
order by
    case when SENT_AT is null then 0 else 1 end,
    case when SENT_AT is null then STORED_AT end,
    STORED_AT desc
limit {{ bind("limit") }};
