-- The alerts that some channel still has to get.
-- Grain: one row per alert, the oldest first.
select
    ALERT_ID,
    INCIDENT,
    STATE,
    SEVERITY,
    HEADLINE,
    MESSAGE,
    IS_OVER,
    STORED_AT,
    SENT_TO
from ALERTS
where SENT_AT is null
order by STORED_AT, ALERT_ID;
