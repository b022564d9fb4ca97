-- Registers a truck, or registers a retired one again.
-- Grain and key: TRUCK_ID.  Idempotent: a truck that is in the fleet is not changed.
merge into KNOWN_TRUCKS as REGISTERED
using (select {{ bind("truck_id") }} as TRUCK_ID) as TRUCK
    on REGISTERED.TRUCK_ID = TRUCK.TRUCK_ID
when matched and REGISTERED.RETIRED_AT is not null then
    update set RETIRED_AT = null
when not matched then insert (
    TRUCK_ID,
    REGISTERED_AT
)
values (
    TRUCK.TRUCK_ID,
    sysdate()
);
