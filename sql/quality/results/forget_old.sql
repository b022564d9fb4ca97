-- Retention: once a day, so that whole micro-partitions go and none is written anew each minute.
delete from DATA_QUALITY_RESULTS
where CHECKED_AT < {{ bind("before") }}::timestamp_ntz;
