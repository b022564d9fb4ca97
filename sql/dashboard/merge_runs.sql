-- Grain: one row per run of the SCD Type 2 merge, newest first.
select
    run_id,
    started_at,
    finished_at,
    rows_inserted,
    rows_updated,
    rows_deleted
from history_merge_runs
order by started_at desc
limit %(limit)s
