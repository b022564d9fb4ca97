-- Stores one result.  FAILING_SINCE and ALERTED_AT continue those of the previous run.
insert into DATA_QUALITY_RESULTS (
    RUN_ID,
    RULE,
    SEVERITY,
    STATUS,
    FAILED_COUNT,
    SAMPLES,
    MESSAGE,
    CHECKED_AT,
    FAILING_SINCE,
    ALERTED_AT
)
values (
    {{ bind("run_id") }},
    {{ bind("rule") }},
    {{ bind("severity") }},
    {{ bind("status") }},
    {{ bind("failed_count") }},
    {{ bind("samples") }},
    {{ bind("message") }},
    {{ bind("checked_at") }},
    {{ bind("failing_since") }},
    {{ bind("alerted_at") }}
);
