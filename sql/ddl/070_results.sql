-- The results of DAG runs, for people to read.  All times are UTC.
-- They are kept for 30 days and change with each run.  Transient: they can be computed again, so
-- nobody needs the seven days of Fail-safe, in which each version of a partition would be billed.
create transient table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS (
    RUN_ID string not null comment 'Airflow run; repair_history puts its action before it',
    STARTED_AT timestamp_ntz not null comment 'Before the statement began',
    FINISHED_AT timestamp_ntz not null comment 'After its commit: its rows are visible',
    ROWS_INSERTED integer not null comment 'Versions added',
    ROWS_UPDATED integer not null comment 'Versions closed or corrected',
    ROWS_DELETED integer not null comment 'Versions that a late reading removed'
)
comment = 'One row per merge into TRUCK_TELEMETRY_DATA, kept for 30 days';

create transient table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS (
    RUN_ID string not null comment 'Airflow run',
    RULE string not null comment 'Name of the rule in sql/quality',
    SEVERITY string not null comment 'fail or warn',
    STATUS string not null comment 'pass, fail, error, or removed: the rule is gone',
    FAILED_COUNT integer comment 'Offending keys; NULL where the rule itself failed',
    SAMPLES string comment 'JSON array of up to 20 offending keys',
    MESSAGE string comment 'What the failure means, or the error of the rule',
    CHECKED_AT timestamp_ntz not null comment 'When the rule ran',
    FAILING_SINCE timestamp_ntz comment 'When the failure began; NULL: the rule passes',
    ALERTED_AT timestamp_ntz comment 'When an alert was last stored; NULL: never, or it is over'
)
comment = 'One row per rule and run of data_quality, kept for 30 days';

-- For a table that was created before it had these columns.
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
add column if not exists FAILING_SINCE timestamp_ntz;
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
add column if not exists ALERTED_AT timestamp_ntz;

create transient table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PLAUSIBILITY_FINDINGS (
    RULE string not null comment 'Name of the rule in sql/quality',
    TRUCK_ID string not null comment 'Whose readings are implausible',
    READINGS integer not null comment 'How many, since FIRST_FOUND_AT',
    FIRST_FOUND_AT timestamp_ntz not null comment 'When a check first found one',
    LAST_FOUND_AT timestamp_ntz not null comment 'When a check last found one',
    EVENT_TIME timestamp_ntz not null comment 'Of the newest such reading',
    DETAIL string not null comment 'What is implausible about that reading'
)
comment = 'Implausible readings per rule and truck, while they last and for 30 days afterwards';
