-- What checks found and people must know: the outbox of the DAG send_alerts.  All times are UTC.
-- Grain: one row per message.  Key: ALERT_ID.  Writers: the checks, in the transaction that stores
-- their results, and send_alerts.
create table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.ALERTS (
    ALERT_ID string not null comment 'The same alert again has the same id',
    INCIDENT string not null comment 'The same for the start and the end of one failure',
    STATE string not null comment 'failed, still failing, warning, or recovered',
    SEVERITY string not null comment 'critical, error or warning',
    HEADLINE string not null comment 'One line',
    MESSAGE string not null comment 'What people get',
    IS_OVER boolean not null comment 'Nothing of the incident fails any more',
    RUN_ID string not null comment 'Airflow run that stored it',
    STORED_AT timestamp_ntz not null comment 'When it was stored',
    SENT_TO string not null comment 'JSON array: the channels that have it',
    SENT_AT timestamp_ntz comment 'When the last channel got it; NULL: not sent yet'
)
comment = 'One row per alert about data, kept for 30 days after it was sent';
