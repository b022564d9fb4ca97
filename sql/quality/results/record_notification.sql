-- Records that people were notified that a rule fails, or (NULL) that it no longer fails.
update DATA_QUALITY_RESULTS
set
    FAILING_SINCE = {{ bind("failing_since") }}::timestamp_ntz,
    ALERTED_AT = {{ bind("alerted_at") }}::timestamp_ntz
where
    RUN_ID = {{ bind("run_id") }}
    and RULE = {{ bind("rule") }};
