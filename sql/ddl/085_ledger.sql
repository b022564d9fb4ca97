-- The conservation ledger: where the records of each arrival hour are.  All times are UTC.
-- Grain: one row per stream and hour.  Key: STREAM_NAME, ARRIVAL_HOUR.  Writer: the DAG reconcile.
-- ARCHIVED = LANDED + DUPLICATES + QUARANTINED + RESOLVED + EXPIRED + MISSING (distinct envelopes).
create table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER (
    STREAM_NAME string not null comment 'Kinesis stream',
    ARRIVAL_HOUR timestamp_ntz not null comment 'Start of the hour in which the records arrived',
    IS_OPEN boolean not null comment 'Counted while records could still be on their way',
    BALANCED boolean not null comment 'No difference of any kind',
    ARCHIVED integer not null comment 'In the raw archive',
    LANDED integer not null comment 'In RAW; for clicks: as the row of their key',
    DUPLICATES integer not null comment 'Clicks whose row names another envelope',
    QUARANTINED integer not null comment 'In quarantine/ and not landed',
    RESOLVED integer not null comment 'Only in quarantine-resolved/: probes',
    MISSING integer not null comment 'Difference: archived and nowhere else',
    NOT_LOADED integer not null comment 'Missing readings that are in a landing object',
    UNEXPECTED integer not null comment 'Difference: in a sink or quarantine, not archived',
    CONFLICTS integer not null comment 'Difference: click keys with several contents',
    COVERED integer not null comment 'Readings in RAW that the history holds',
    WAITING integer not null comment 'Readings in RAW that the next merge covers',
    OVERDUE integer not null comment 'Difference: waiting for longer than a merge may take',
    UNCOVERED integer not null comment 'Difference: in RAW, not in the history',
    DETAILS string comment 'JSON: kind of difference -> up to 20 files or sequence numbers',
    CHECKED_AT timestamp_ntz not null comment 'When it was counted last',
    RUN_ID string not null comment 'Airflow run that counted it last',
    NULLED integer comment 'Landed readings with a metric that was nulled; NULL: not counted',
    ALERTED string comment 'JSON: kind -> records that differ, as last alerted; NULL: no alert',
    EXPIRED integer comment 'Clicks that are past their time and have no row; NULL: not counted'
)
comment = 'One row per stream and arrival hour: whether every record is accounted for';

-- For a table that is older than the columns.
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
add column if not exists NULLED integer
comment 'Landed readings with a metric that was nulled; NULL: not counted';
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
add column if not exists ALERTED string
comment 'JSON: kind -> records that differ, as last alerted; NULL: no alert';
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
add column if not exists EXPIRED integer
comment 'Clicks that are past their time and have no row; NULL: not counted';
