-- The alerts about data that people do not have yet, and those of the last hours.
-- Grain: one row per alert; those that wait come first, the oldest of them at the top.
-- Alerts about failed runs wait in Airflow, not here (docs/alerts.md).
select
    STORED_AT,
    STATE,
    SEVERITY,
    HEADLINE,
    MESSAGE,
    SENT_TO,
    SENT_AT
from ALERTS
where
    SENT_AT is null
    or STORED_AT >= dateadd('hour', -{{ bind("hours") }}, sysdate())
order by
    SENT_AT is not null,
    case when SENT_AT is null then STORED_AT end,
    STORED_AT desc
limit {{ bind("limit") }};
