-- Grain: one row per SCD Type 2 merge, newest first.
select
    RUN_ID,
    STARTED_AT,
    FINISHED_AT,
    ROWS_INSERTED,
    ROWS_UPDATED,
    ROWS_DELETED
from HISTORY_MERGE_RUNS
order by STARTED_AT desc
limit {{ bind("limit") }};
