-- Stores one alert as not yet sent.
-- Key: ALERT_ID.  Idempotent: an alert that is stored already stays as it is, sent or not.
insert into ALERTS (
    ALERT_ID,
    INCIDENT,
    STATE,
    SEVERITY,
    HEADLINE,
    MESSAGE,
    IS_OVER,
    RUN_ID,
    STORED_AT,
    SENT_TO
)
select
    {{ bind("alert_id") }} as ALERT_ID,
    {{ bind("incident") }} as INCIDENT,
    {{ bind("state") }} as STATE,
    {{ bind("severity") }} as SEVERITY,
    {{ bind("headline") }} as HEADLINE,
    {{ bind("message") }} as MESSAGE,
    {{ bind("is_over") }} as IS_OVER,
    {{ bind("run_id") }} as RUN_ID,
    {{ bind("stored_at") }}::timestamp_ntz as STORED_AT,
    '[]' as SENT_TO
where
    not exists (
        select 1
        from ALERTS
        where ALERT_ID = {{ bind("alert_id") }}
    );
