-- Retention: findings that ended long ago.
delete from PLAUSIBILITY_FINDINGS
where LAST_FOUND_AT < {{ bind("before") }}::timestamp_ntz;
