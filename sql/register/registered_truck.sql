-- Grain: one row, how many rows of the register name the truck.
select count(*) as FOUND
from KNOWN_TRUCKS
where TRUCK_ID = {{ bind("truck_id") }};
