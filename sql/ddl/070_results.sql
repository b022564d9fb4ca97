-- What the DAGs leave behind for people to look at.  All times are UTC.
create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS (
    RUN_ID string not null comment 'Airflow run; of repair_history with what it did before it',
    STARTED_AT timestamp_ntz not null comment 'Before the statement began',
    FINISHED_AT timestamp_ntz not null comment 'After its commit: its rows are visible',
    ROWS_INSERTED integer not null comment 'Versions added',
    ROWS_UPDATED integer not null comment 'Versions closed or corrected',
    ROWS_DELETED integer not null comment 'Versions that a late reading made vanish'
)
comment = 'One row a merge into TRUCK_TELEMETRY_DATA';

create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS (
    RUN_ID string not null comment 'Airflow run',
    RULE string not null comment 'Name of the rule in sql/quality',
    SEVERITY string not null comment 'fail or warn',
    STATUS string not null comment 'pass, fail, error, or removed: no rule any more',
    FAILED_COUNT integer comment 'Offending keys; NULL where the rule itself failed',
    SAMPLES string comment 'JSON array of up to 20 offending keys',
    MESSAGE string comment 'What it means, or the error of the rule',
    CHECKED_AT timestamp_ntz not null comment 'When the rule ran',
    FAILING_SINCE timestamp_ntz comment 'When the failure began; of a pass: it is to be told',
    ALERTED_AT timestamp_ntz comment 'When people were told that it fails; NULL: they need not know'
)
comment = 'One row a rule and run of data_quality, kept for 30 days';

-- For a table that was made before it had them.
alter table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
add column if not exists FAILING_SINCE timestamp_ntz;
alter table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
add column if not exists ALERTED_AT timestamp_ntz;
