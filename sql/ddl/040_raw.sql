-- Every reading as it landed: append-only, and never purged except to erase one truck.
-- Grain: one row per line of a landing file.  Landing is at-least-once, so an envelope
-- (STREAM_NAME, SHARD_ID, SEQUENCE_NUMBER, SUB_SEQUENCE_NUMBER) can occur more than once: count and
-- merge distinct envelopes.  All times are UTC.
-- Clustered by event day: a merge reads each truck's span of event time, which is mostly today.
create table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW (
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
    LOAD_TIMESTAMP timestamp_ntz not null comment 'When Snowpipe began to read the object (UTC)',
    SUB_SEQUENCE_NUMBER integer comment 'Envelope: position in an aggregated record; NULL is 0',
    NULLED_METRICS string comment 'JSON: metric sent outside its range, hence NULL -> value as sent'
)
cluster by (to_date(EVENT_TIME))
comment = 'Truck telemetry as it landed, append-only';

-- Off until the table is large (docs/cost.md): merges rewrite what reclustering would sort again.
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
{{ params.reclustering | default("suspend") }} recluster;

-- Columns since the first version, for tables that have existed for longer.
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
add column if not exists NULLED_METRICS string
comment 'JSON: metric sent outside its range, hence NULL -> value as sent';
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
add column if not exists SUB_SEQUENCE_NUMBER integer
comment 'Envelope: position in an aggregated record; NULL is 0';

-- The readings since the last merge.  Never replaced here: a new stream starts at the table's tip
-- and misses what was not merged.  (The DAG repair_history replaces a stale stream.)
create stream if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
append_only = true
comment = 'Readings that the history does not hold yet';

-- The DAG repair_history replaces it, and only its owner may.
grant ownership on stream {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM
to role {{ env }}TRUCK_TELEMETRY_REPAIRER copy current grants;

-- The readings since plausibility was last checked.  A stream of its own, because each stream has
-- one consumer.  Never replaced here: a new one starts at the table's tip.
create stream if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_PLAUSIBILITY_STREAM
on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
append_only = true
comment = 'Readings whose plausibility was not checked yet';
