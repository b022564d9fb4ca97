"""A local Snowflake: fakesnow (DuckDB) behind Snowflake's wire protocol, plus the parts of Snowflake that it lacks.

README.md is for those who only want to use it, DEVIATIONS.md lists what differs from Snowflake.  The folder needs
nothing outside itself.  Its modules, from the wire to the disk; a module imports only from the lines below its own
(import-linter checks it):

| modules | subject |
|---|---|
| ``__main__`` | the command: arguments, TLS, start and stop |
| ``server`` | HTTP: logins, request ids, answers |
| ``session``, ``snowpipe`` | the two that run statements: a client's session, and the threads that load for pipes |
| ``describing`` | the columns of a statement's result, without running it |
| ``authorization`` | the one place that every statement passes: what its roles may not do is refused |
| ``letter_case`` | names that differ by case only |
| ``access``, ``ownership``, ``needs`` | GRANT and REVOKE; owners of what is created; the privileges a statement needs |
| ``principals``, ``ddl``, ``listings`` | users and roles; databases, schemas, tables; SHOW and DESCRIBE of these |
| ``policies``, ``masking``, ``login_policies`` | who sees a column, and how a user logs in |
| ``dml``, ``view_texts``, ``table_copies`` | queries and DML; the texts of views; LIKE and CLONE |
| ``functions`` | functions that DuckDB can't answer |
| ``pipes``, ``copy_into``, ``streams``, ``parameters``, ``merge``, ``reads``, ``tags`` | one module per subject |
| ``table_listing``, ``warehouse_listing`` | what SHOW TABLES adds; SHOW WAREHOUSES |
| ``cancelling``, ``query_history``, ``metering_history`` | statements that concern other statements |
| ``copy_rows``, ``copy_lines`` | from a file's bytes to rows |
| ``error_notifications``, ``notification_integrations`` | messages about files that were not loaded |
| ``load_history``, ``copy_plan``, ``copy_functions``, ``stages``, ``account`` | what COPY needs |
| ``context`` | what a statement has at hand: connection, catalog, names, transaction |
| ``transaction``, ``instance``, ``logins`` | a transaction; the account and its files; passwords and keys |
| ``new_account``, ``login_checks``, ``users`` | an account's first roles and user; policies of a login; users |
| ``stream_offsets``, ``pipe_queue``, ``ingestion``, ``writers``, ``queries``, ``grants`` | what outlives a statement |
| ``variables``, ``bulk_inserts``, ``bindings``, ``identifiers`` | a session's variables; bound values and names |
| ``parameter_values``, ``warehouses`` | the values of parameters; the options of a warehouse |
| ``catalog``, ``engine`` | our objects, and DuckDB's |
| ``results``, ``memo``, ``notifications``, ``meter`` | Arrow; values kept by statement; the SQS queue; costs |
| ``bound_values`` | bind variables as literals |
| ``statements``, ``grammar``, ``grant_grammar``, ``policy_grammar``, ``reader`` | parsing, where sqlglot does not |
| ``resource_monitors`` | what a statement says of one |
| ``column_names`` | names of columns without an alias |
| ``fakesnow_adapter``, ``privileges``, ``storage``, ``tls`` | fakesnow, S3, TLS |
| ``rewriting``, ``variant_columns`` | before fakesnow translates: what to rewrite; which columns are VARIANTs |
| ``dates``, ``flattening``, ``aggregates`` | one module per kind of rewriting |
| ``arithmetic``, ``epoch_times``, ``texts`` | where fakesnow's translations of numbers and times are not Snowflake's |
| ``keywords`` | reserved words |
| ``variants``, ``names`` | operators on VARIANTs; names of objects |
| ``errors``, ``duckdb_macros`` | Snowflake's errors; functions that translations call |
"""
