-- Records the channels that have an alert, and (unless NULL) that all of them do.
update ALERTS
set
    SENT_TO = {{ bind("sent_to") }},
    SENT_AT = {{ bind("sent_at") }}::timestamp_ntz
where ALERT_ID = {{ bind("alert_id") }};
