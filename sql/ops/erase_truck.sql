-- Erases one truck from every table: RAW, the history, the register, and samples that name it.
-- Binds `truck_id`, the texts that contain it in JSON samples, the pattern that finds it in
-- messages, and what these say instead (include/erasure).
--
-- One transaction: afterwards the truck is gone from every table, or nothing has changed.
-- Idempotent.  Run it in the pool history_writer, after the landing objects were rewritten and when
-- the pipe has nothing pending: what Snowpipe loads later is without the truck (docs/erasure.md).
-- The append-only stream still has the truck's inserts.  A merge derives what they touched from
-- RAW, and finds nothing there.
begin;

delete from TRUCK_TELEMETRY_RAW
where TRUCK_ID = {{ bind("truck_id") }};

delete from TRUCK_TELEMETRY_DATA
where TRUCK_ID = {{ bind("truck_id") }};

delete from KNOWN_TRUCKS
where TRUCK_ID = {{ bind("truck_id") }};

-- The stream of plausibility would bring findings of the truck back. It moves on to its tip: what
-- waits there, of other trucks too (a minute's readings), is not checked.
insert into PLAUSIBILITY_FINDINGS (
    RULE, TRUCK_ID, READINGS, FIRST_FOUND_AT, LAST_FOUND_AT, EVENT_TIME, DETAIL
)
select
    '' as RULE,
    TRUCK_ID,
    0 as READINGS,
    EVENT_TIME as FIRST_FOUND_AT,
    EVENT_TIME as LAST_FOUND_AT,
    EVENT_TIME,
    '' as DETAIL
from TRUCK_PLAUSIBILITY_STREAM
where false;

delete from PLAUSIBILITY_FINDINGS
where TRUCK_ID = {{ bind("truck_id") }};

-- A sample is a key, which begins with its truck.  All samples of the row go; its count stays.
update DATA_QUALITY_RESULTS
set SAMPLES = '[]'
where contains(SAMPLES, {{ bind("whole_key") }}) or contains(SAMPLES, {{ bind("begin_of_key") }});

-- The error of a rule may quote the value that caused it.  TRK1 is not named where TRK10 is.
update DATA_QUALITY_RESULTS
set MESSAGE = {{ bind("instead") }}
where
    STATUS = 'error'
    and MESSAGE <> {{ bind("instead") }}
    and regexp_instr(' ' || MESSAGE || ' ', {{ bind("by_itself") }}) > 0;

-- The ledger's details name a reading by shard, sequence number, truck and time.
update CONSERVATION_LEDGER
set DETAILS = '{}'
where contains(DETAILS, {{ bind("within_text") }});

-- A message quotes samples.  One that was not sent yet still says which rule or hour it is about.
update ALERTS
set MESSAGE = {{ bind("instead") }}
where
    MESSAGE <> {{ bind("instead") }}
    and regexp_instr(' ' || MESSAGE || ' ', {{ bind("by_itself") }}) > 0;

commit;
