-- The history of every truck, SCD Type 2.
-- Grain: one row per version, a maximal run of readings with the same 21 attributes.
-- Key: TRUCK_ID, EFFECTIVE_START_DATE (quality rules check it; Snowflake enforces no key).
-- Only sql/merge/truck_telemetry_scd2.sql and the repairs in sql/ops write it.  All times are UTC.
-- Clustered by IS_CURRENT and start day, not by truck: a merge touches the current and recent rows
-- of many trucks.  Clustered by truck, these would be spread over every micro-partition.
create table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA (
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

-- Off until the table is large (docs/cost.md): merges rewrite what reclustering would sort again.
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA
{{ params.reclustering | default("suspend") }} recluster;
