-- Retention.  An alert that was not sent is never forgotten.
delete from ALERTS
where SENT_AT < {{ bind("before") }}::timestamp_ntz;
