-- Records what people are notified of about an hour: the counts of its differences, or (NULL) that
-- it balances again.
update CONSERVATION_LEDGER
set ALERTED = {{ bind("alerted") }}
where
    STREAM_NAME = {{ bind("stream") }}
    and ARRIVAL_HOUR = {{ bind("hour") }}::timestamp_ntz;
