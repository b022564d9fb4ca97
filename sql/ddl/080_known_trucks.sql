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
