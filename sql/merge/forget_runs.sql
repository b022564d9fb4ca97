-- Retention: runs that ended long ago.
delete from HISTORY_MERGE_RUNS
where FINISHED_AT < {{ bind("before") }}::timestamp_ntz;
