-- A run that is run again replaces its results.
delete from DATA_QUALITY_RESULTS
where RUN_ID = {{ bind("run_id") }};
