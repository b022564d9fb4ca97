-- The DDL of a released version as it was rendered and run.  Frozen: tests upgrade these objects.
-- The warehouse that runs merges and queries.  It suspends after a minute without work, so it costs
-- nothing while no truck reports.  Re-runnable: an existing warehouse keeps the size it was given.
create warehouse if not exists TRUCK_TELEMETRY_WH
warehouse_size = XSMALL
auto_suspend = 60
auto_resume = true
initially_suspended = true
comment = 'Merges truck telemetry and serves the dashboard';

-- The database and schema of all other objects.  Re-runnable: nothing is ever replaced.
create database if not exists ECOMMERCE_DATA
comment = 'What customers click and how trucks deliver it';

create schema if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY
comment = 'Telemetry of the delivery trucks, from landing to history';

-- The landing zone in S3, as TruckDataProcessor writes it: gzipped, one JSON object per line.
-- Re-runnable: an existing integration keeps its external id, which the role in AWS trusts.  A
-- replaced integration gets another id and is locked out until the stack is deployed again.  So a
-- changed bucket or role needs an ALTER by hand.
create file format if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON
    type = json
    compression = gzip
    comment = 'Newline-delimited JSON, gzipped';

create storage integration if not exists TRUCK_TELEMETRY_INTEGRATION
type = external_stage
storage_provider = 'S3'
storage_aws_role_arn = 'arn:aws:iam::000000000000:role/snowflake'
enabled = true
storage_allowed_locations = ('s3://sql-tests-telemetry/telemetry-data/')
comment = 'Reads the landing zone of truck telemetry and nothing else';

create stage if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STAGE
    url = 's3://sql-tests-telemetry/telemetry-data/'
    storage_integration = TRUCK_TELEMETRY_INTEGRATION
    file_format = (format_name = 'ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON')
    comment = 'Landing zone of truck telemetry';

-- Every reading as it landed: append-only, and never purged except to erase one truck.
-- Grain: one row per line of a landing file.  Landing is at-least-once, so an envelope
-- (STREAM_NAME, SHARD_ID, SEQUENCE_NUMBER) can occur more than once: count and merge distinct
-- envelopes.  All times are UTC.
-- Clustered by event day: a merge reads each truck's span of event time, which is mostly today.
create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW (
    TRUCK_ID string not null comment 'Which truck',
    EVENT_TIME timestamp_ntz not null comment 'When the truck measured (UTC)',
    GPS_LATITUDE float comment '°',
    GPS_LONGITUDE float comment '°',
    GPS_ALTITUDE float comment 'm',
    GPS_SPEED float comment 'mph',
    VEHICLE_SPEED float comment 'mph',
    ENGINE_RPM float comment 'rpm',
    FUEL_LEVEL float comment '%',
    ENGINE_TEMPERATURE float comment '°C',
    OIL_PRESSURE float comment 'psi',
    BATTERY_VOLTAGE float comment 'V',
    ODOMETER_READING float comment 'mi',
    FUEL_CONSUMPTION float comment 'gal/h',
    BRAKE_STATUS string comment 'characters: Good, Needs Inspection',
    TIRE_PRESSURE_FRONT_LEFT float comment 'psi',
    TIRE_PRESSURE_FRONT_RIGHT float comment 'psi',
    TIRE_PRESSURE_REAR_LEFT float comment 'psi',
    TIRE_PRESSURE_REAR_RIGHT float comment 'psi',
    TRANSMISSION_STATUS string comment 'characters: Operational, Needs Maintenance',
    ENVIRONMENT_TEMPERATURE float comment '°C',
    ENVIRONMENT_HUMIDITY float comment '%',
    ENVIRONMENT_PRESSURE float comment 'hPa',
    STREAM_NAME string not null comment 'Envelope: Kinesis stream',
    SHARD_ID string not null comment 'Envelope: shard of the stream',
    SEQUENCE_NUMBER string not null comment 'Envelope: decimal text, up to 56 digits',
    ARRIVAL_TIME timestamp_ntz not null comment 'When Kinesis accepted the record (UTC)',
    PARTITION_KEY string comment 'Key that chose the shard',
    FILE_NAME string not null comment 'Landing object, its path in the bucket',
    FILE_ROW_NUMBER integer not null comment 'Line of the landing object',
    LOAD_TIMESTAMP timestamp_ntz not null comment 'When Snowpipe began to read the object (UTC)'
)
cluster by (to_date(EVENT_TIME))
comment = 'Truck telemetry as it landed, append-only';

-- The readings since the last merge.  Never replaced here: a new stream starts at the table's tip
-- and misses what was not merged.  (The DAG repair_history replaces a stale stream.)
create stream if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
append_only = true
comment = 'Readings that the history does not hold yet';

-- The history of every truck, SCD Type 2.
-- Grain: one row per version, a maximal run of readings with the same 21 attributes.
-- Key: TRUCK_ID, EFFECTIVE_START_DATE (quality rules check it; Snowflake enforces no key).
-- Only sql/merge/truck_telemetry_scd2.sql and the repairs in sql/ops write it.  All times are UTC.
-- Clustered by IS_CURRENT and start day, not by truck: a merge touches the current and recent rows
-- of many trucks.  Clustered by truck, these would be spread over every micro-partition.
create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA (
    TRUCK_ID string not null comment 'Which truck',
    LOAD_TIMESTAMP timestamp_ntz comment 'When the reading that opens the version was loaded',
    EFFECTIVE_START_DATE timestamp_ntz comment 'Event time of the first reading of the version',
    EFFECTIVE_END_DATE timestamp_ntz comment 'Start of the next version; NULL while current',
    IS_CURRENT boolean comment 'Exactly when EFFECTIVE_END_DATE is NULL',
    GPS_LATITUDE float comment '°',
    GPS_LONGITUDE float comment '°',
    GPS_ALTITUDE float comment 'm',
    GPS_SPEED float comment 'mph',
    VEHICLE_SPEED float comment 'mph',
    ENGINE_RPM float comment 'rpm',
    FUEL_LEVEL float comment '%',
    ENGINE_TEMPERATURE float comment '°C',
    OIL_PRESSURE float comment 'psi',
    BATTERY_VOLTAGE float comment 'V',
    ODOMETER_READING float comment 'mi',
    FUEL_CONSUMPTION float comment 'gal/h',
    BRAKE_STATUS string comment 'characters: Good, Needs Inspection',
    TIRE_PRESSURE_FRONT_LEFT float comment 'psi',
    TIRE_PRESSURE_FRONT_RIGHT float comment 'psi',
    TIRE_PRESSURE_REAR_LEFT float comment 'psi',
    TIRE_PRESSURE_REAR_RIGHT float comment 'psi',
    TRANSMISSION_STATUS string comment 'characters: Operational, Needs Maintenance',
    ENVIRONMENT_TEMPERATURE float comment '°C',
    ENVIRONMENT_HUMIDITY float comment '%',
    ENVIRONMENT_PRESSURE float comment 'hPa'
)
cluster by (IS_CURRENT, to_date(EFFECTIVE_START_DATE))
comment = 'Truck telemetry history, SCD Type 2';

-- Loads each landing file when S3 announces it, on the queue that SHOW PIPES shows.
-- Never replaced: a new pipe does not know what was loaded and would load old files again.
-- Session time zones don't matter: the landed times are UTC without an offset, and the scan time,
-- which has one, is converted.  (CURRENT_TIMESTAMP would be the time when the pipe was compiled.)
-- A file with an unreadable line is skipped as a whole and appears in COPY_HISTORY: everything that
-- TruckDataProcessor writes should be readable.
create pipe if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
auto_ingest = true
comment = 'Landing zone of truck telemetry into TRUCK_TELEMETRY_RAW'
as
copy into ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW (
    TRUCK_ID,
    EVENT_TIME,
    GPS_LATITUDE, GPS_LONGITUDE, GPS_ALTITUDE, GPS_SPEED, VEHICLE_SPEED, ENGINE_RPM, FUEL_LEVEL, ENGINE_TEMPERATURE, OIL_PRESSURE, BATTERY_VOLTAGE, ODOMETER_READING, FUEL_CONSUMPTION, BRAKE_STATUS, TIRE_PRESSURE_FRONT_LEFT, TIRE_PRESSURE_FRONT_RIGHT, TIRE_PRESSURE_REAR_LEFT, TIRE_PRESSURE_REAR_RIGHT, TRANSMISSION_STATUS, ENVIRONMENT_TEMPERATURE, ENVIRONMENT_HUMIDITY, ENVIRONMENT_PRESSURE,
    STREAM_NAME,
    SHARD_ID,
    SEQUENCE_NUMBER,
    ARRIVAL_TIME,
    PARTITION_KEY,
    FILE_NAME,
    FILE_ROW_NUMBER,
    LOAD_TIMESTAMP
)
from (
    select
        $1:truck_id::string,
        $1:event_time::timestamp_ntz,
            $1:gps_latitude::float,
            $1:gps_longitude::float,
            $1:gps_altitude::float,
            $1:gps_speed::float,
            $1:vehicle_speed::float,
            $1:engine_rpm::float,
            $1:fuel_level::float,
            $1:engine_temperature::float,
            $1:oil_pressure::float,
            $1:battery_voltage::float,
            $1:odometer_reading::float,
            $1:fuel_consumption::float,
            $1:brake_status::string,
            $1:tire_pressure_front_left::float,
            $1:tire_pressure_front_right::float,
            $1:tire_pressure_rear_left::float,
            $1:tire_pressure_rear_right::float,
            $1:transmission_status::string,
            $1:environment_temperature::float,
            $1:environment_humidity::float,
            $1:environment_pressure::float,
        $1:stream_name::string,
        $1:shard_id::string,
        $1:sequence_number::string,
        $1:arrival_time::timestamp_ntz,
        $1:partition_key::string,
        METADATA$FILENAME,
        METADATA$FILE_ROW_NUMBER,
        convert_timezone('UTC', METADATA$START_SCAN_TIME)::timestamp_ntz as LOAD_TIMESTAMP
    from @ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STAGE
)
file_format = (format_name = 'ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON')
on_error = skip_file;

-- The results of DAG runs, for people to read.  All times are UTC.
create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS (
    RUN_ID string not null comment 'Airflow run; repair_history puts its action before it',
    STARTED_AT timestamp_ntz not null comment 'Before the statement began',
    FINISHED_AT timestamp_ntz not null comment 'After its commit: its rows are visible',
    ROWS_INSERTED integer not null comment 'Versions added',
    ROWS_UPDATED integer not null comment 'Versions closed or corrected',
    ROWS_DELETED integer not null comment 'Versions that a late reading removed'
)
comment = 'One row per merge into TRUCK_TELEMETRY_DATA';

create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS (
    RUN_ID string not null comment 'Airflow run',
    RULE string not null comment 'Name of the rule in sql/quality',
    SEVERITY string not null comment 'fail or warn',
    STATUS string not null comment 'pass, fail, error, or removed: the rule is gone',
    FAILED_COUNT integer comment 'Offending keys; NULL where the rule itself failed',
    SAMPLES string comment 'JSON array of up to 20 offending keys',
    MESSAGE string comment 'What the failure means, or the error of the rule',
    CHECKED_AT timestamp_ntz not null comment 'When the rule ran',
    FAILING_SINCE timestamp_ntz comment 'When the failure began; on a pass: end not notified yet',
    ALERTED_AT timestamp_ntz comment 'When people were last notified; NULL: never, or it is over'
)
comment = 'One row per rule and run of data_quality, kept for 30 days';

-- For a table that was created before it had these columns.
alter table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
add column if not exists FAILING_SINCE timestamp_ntz;
alter table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
add column if not exists ALERTED_AT timestamp_ntz;

-- The register of the fleet.  Readings of other trucks are accepted, and a quality rule warns.
create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS (
    TRUCK_ID string not null comment 'As the truck reports it',
    REGISTERED_AT timestamp_ntz not null comment 'When it joined the fleet (UTC)'
)
comment = 'Trucks that should report';

-- The first fleet, only while the register is empty: a truck that was removed stays removed.
insert into ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS (TRUCK_ID, REGISTERED_AT)
select
    FIRST_FLEET.TRUCK_ID,
    sysdate() as REGISTERED_AT
from (values ('TRK001'), ('TRK002'), ('TRK003')) as FIRST_FLEET (TRUCK_ID)
where not exists (select 1 from ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS);

-- The conservation ledger: where the records of each arrival hour are.  All times are UTC.
-- Grain: one row per stream and hour.  Key: STREAM_NAME, ARRIVAL_HOUR.  Writer: the DAG reconcile.
-- ARCHIVED = LANDED + DUPLICATES + QUARANTINED + RESOLVED + MISSING, all in distinct envelopes.
create table if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER (
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
    RUN_ID string not null comment 'Airflow run that counted it last'
)
comment = 'One row per stream and arrival hour: whether every record is accounted for';

-- Three roles, each with the rights that its work needs, for the users of Airflow, erasure and the
-- dashboard.
-- The provisioning user (SYSADMIN, with CREATE INTEGRATION and CREATE ROLE) owns the objects.
create role if not exists TRUCK_TELEMETRY_TRANSFORMER
comment = 'Airflow: watches the pipe, merges the history, checks it';
create role if not exists TRUCK_TELEMETRY_ERASER
comment = 'DAG erase_truck: erases one truck from every table';
create role if not exists TRUCK_TELEMETRY_READER
comment = 'Dashboard: reads, and nothing else';

grant usage on warehouse TRUCK_TELEMETRY_WH to role TRUCK_TELEMETRY_TRANSFORMER;
grant usage on database ECOMMERCE_DATA to role TRUCK_TELEMETRY_TRANSFORMER;
grant usage on schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_TRANSFORMER;
grant select on all tables in schema ECOMMERCE_DATA.TRUCK_TELEMETRY
to role TRUCK_TELEMETRY_TRANSFORMER;
grant select on stream ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete
on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
to role TRUCK_TELEMETRY_TRANSFORMER;
grant insert, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
to role TRUCK_TELEMETRY_TRANSFORMER;
grant monitor, operate on pipe ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role TRUCK_TELEMETRY_TRANSFORMER;

-- Only the eraser may delete readings from these tables.  Give it a user of its own, because all
-- roles of a user are active together.
grant usage on warehouse TRUCK_TELEMETRY_WH to role TRUCK_TELEMETRY_ERASER;
grant usage on database ECOMMERCE_DATA to role TRUCK_TELEMETRY_ERASER;
grant usage on schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_ERASER;
grant select, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
to role TRUCK_TELEMETRY_ERASER;
grant select, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
to role TRUCK_TELEMETRY_ERASER;
grant select, delete on table ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS
to role TRUCK_TELEMETRY_ERASER;
grant select, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS
to role TRUCK_TELEMETRY_ERASER;
grant select, update on table ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER
to role TRUCK_TELEMETRY_ERASER;
grant monitor on pipe ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role TRUCK_TELEMETRY_ERASER;

grant usage on warehouse TRUCK_TELEMETRY_WH to role TRUCK_TELEMETRY_READER;
grant usage on database ECOMMERCE_DATA to role TRUCK_TELEMETRY_READER;
grant usage on schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_READER;
grant select on all tables in schema ECOMMERCE_DATA.TRUCK_TELEMETRY to role TRUCK_TELEMETRY_READER;
grant monitor on pipe ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
to role TRUCK_TELEMETRY_READER;
