-- The statements that a session runs now.  Snowflake lists those before the ones that have ended.
select
    QUERY_ID,
    EXECUTION_STATUS
from table(information_schema.query_history_by_session(session_id => {{ bind("session") }}))
where
    SESSION_ID = {{ bind("session") }}
    and upper(EXECUTION_STATUS) in ('RUNNING', 'QUEUED', 'BLOCKED', 'RESUMING_WAREHOUSE');
