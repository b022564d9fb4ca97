-- Deletes the results of a run, which a re-run replaces.
delete from DATA_QUALITY_RESULTS
where RUN_ID = {{ bind("run_id") }};
