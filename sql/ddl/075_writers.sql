-- Who may write: one session per kind of writer.  include/writer_lease.py reads and writes it.
create transient table if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.WRITERS (
    WRITER string not null comment 'What is written: history, quality, ledger, register',
    SESSION_ID integer comment 'The Snowflake session that may write; NULL: nobody writes',
    HELD_BY string comment 'JSON: the DAG, task, run and try that the session belongs to',
    TAKEN_AT timestamp_ntz not null comment 'UTC'
)
data_retention_time_in_days = 0
comment = 'One row per kind of writer: the session that writes now';
