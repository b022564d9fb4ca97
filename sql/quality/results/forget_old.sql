-- Retention: once a day, to delete whole micro-partitions instead of rewriting one in each run.
delete from DATA_QUALITY_RESULTS
where CHECKED_AT < {{ bind("before") }}::timestamp_ntz;
