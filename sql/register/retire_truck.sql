-- Retires a truck at an instant, or corrects the instant at which it left.
-- Grain and key: TRUCK_ID.  Idempotent: the same instant again changes nothing.
update KNOWN_TRUCKS
set RETIRED_AT = {{ bind("since") }}::timestamp_ntz
where
    TRUCK_ID = {{ bind("truck_id") }}
    and RETIRED_AT is distinct from {{ bind("since") }}::timestamp_ntz;
