-- Takes one truck out of every table: RAW, the history, the register, and what people were shown of
-- it.  Bound are `truck_id`, and what contains it where it is told in JSON (include/erasure).
--
-- One transaction: after it the truck is nowhere, or still everywhere it was.  Idempotent.  Run it
-- in the pool history_writer, after the landing objects were rewritten and with nothing pending in
-- the pipe: what Snowpipe loads later has the truck no more (docs/erasure.md).
-- The stream still has the truck's inserts, as an append-only one has: a merge derives what they
-- touched from RAW, and finds that there is nothing.
begin;

delete from TRUCK_TELEMETRY_RAW
where TRUCK_ID = {{ bind("truck_id") }};

delete from TRUCK_TELEMETRY_DATA
where TRUCK_ID = {{ bind("truck_id") }};

delete from KNOWN_TRUCKS
where TRUCK_ID = {{ bind("truck_id") }};

-- A sample is a key, which begins with its truck.  All samples of the row go; its count stays.
update DATA_QUALITY_RESULTS
set SAMPLES = '[]'
where contains(SAMPLES, {{ bind("whole_key") }}) or contains(SAMPLES, {{ bind("begin_of_key") }});

-- The error of a rule may quote the value that caused it.
update DATA_QUALITY_RESULTS
set MESSAGE = 'It named a truck that was erased'
where STATUS = 'error' and contains(MESSAGE, {{ bind("truck_id") }});

-- Of a reading the ledger tells shard, sequence number, truck and time.
update CONSERVATION_LEDGER
set DETAILS = '{}'
where contains(DETAILS, {{ bind("within_text") }});

commit;
