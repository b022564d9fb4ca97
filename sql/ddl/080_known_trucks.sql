-- The register of the fleet.  Readings of other trucks are accepted, and a quality rule warns.
-- The DAG fleet_register writes it (docs/fleet-register.md).
create table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS (
    TRUCK_ID string not null comment 'As the truck reports it',
    REGISTERED_AT timestamp_ntz not null comment 'When it joined the fleet (UTC)',
    RETIRED_AT timestamp_ntz comment 'When it left the fleet (UTC); NULL: it is in the fleet'
)
comment = 'Trucks that report or reported';

-- For a table that was created before it had this column.
alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS
add column if not exists RETIRED_AT timestamp_ntz;

-- The first fleet, only while the register is empty: a truck that was removed stays removed.
insert into {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS (TRUCK_ID, REGISTERED_AT)
select
    FIRST_FLEET.TRUCK_ID,
    sysdate() as REGISTERED_AT
from (values ('TRK001'), ('TRK002'), ('TRK003')) as FIRST_FLEET (TRUCK_ID)
where not exists (select 1 from {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS);

-- The register as rules and pages read it.  Grain and key: TRUCK_ID.
-- A truck that was registered again is in the fleet, also if that added a row (Snowflake enforces
-- no key).
create or replace view {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.FLEET
copy grants
comment = 'One row per registered truck, and whether it left the fleet'
as
select
    TRUCK_ID,
    min(REGISTERED_AT) as REGISTERED_AT,
    iff(count(*) = count(RETIRED_AT), max(RETIRED_AT), null) as RETIRED_AT
from {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS
group by TRUCK_ID;
