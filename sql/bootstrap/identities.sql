-- One identity for each job: roles under SYSADMIN, and service users who log in with a key pair.
-- An administrator runs this once, before the first provision_resources, and again after a key was
-- replaced:
--     python -m include.snowflake_identities --keys <directory>
-- makes the keys that are missing and prints these statements.  Nothing in them is secret.
-- What a role may do with the objects is granted where they are created: sql/ddl/060_pipe.sql and
-- sql/ddl/090_roles.sql.  Each user has one role and no secondary roles.
use role USERADMIN;

create role if not exists {{ env }}TRUCK_TELEMETRY_DEPLOYER
comment = 'DAGs provision_resources, teardown_resources: owns the objects';
create role if not exists {{ env }}TRUCK_TELEMETRY_LOADER
comment = 'Snowpipe: owns the pipe and loads with these rights; nobody logs in';
create role if not exists {{ env }}TRUCK_TELEMETRY_TRANSFORMER
comment = 'Airflow: watches the pipe, merges, checks, counts the ledger';
create role if not exists {{ env }}TRUCK_TELEMETRY_REPAIRER
comment = 'DAG repair_history: repairs the history, replaces its stream';
create role if not exists {{ env }}TRUCK_TELEMETRY_READER
comment = 'Dashboard: reads, and nothing else';
create role if not exists {{ env }}TRUCK_TELEMETRY_ERASER
comment = 'DAG erase_truck: erases one truck from every table';

{%- for job in ("DEPLOYER", "TRANSFORMER", "REPAIRER", "READER", "ERASER") %}

    create user if not exists {{ env }}TRUCK_TELEMETRY_{{ job }}
        type = SERVICE
        default_role = {{ env }}TRUCK_TELEMETRY_{{ job }}
        default_secondary_roles = ()
        default_warehouse = {{ env }}TRUCK_TELEMETRY_{{ "READER_WH" if job == "READER" else "WH" }};
    alter user {{ env }}TRUCK_TELEMETRY_{{ job }} set
    rsa_public_key = '{{ params[job | lower ~ "_public_key"] }}';
{%- endfor %}

-- Administrators keep access to everything.
use role ACCOUNTADMIN;

grant role {{ env }}TRUCK_TELEMETRY_DEPLOYER to user {{ env }}TRUCK_TELEMETRY_DEPLOYER;
grant role {{ env }}TRUCK_TELEMETRY_TRANSFORMER to user {{ env }}TRUCK_TELEMETRY_TRANSFORMER;
grant role {{ env }}TRUCK_TELEMETRY_REPAIRER to user {{ env }}TRUCK_TELEMETRY_REPAIRER;
grant role {{ env }}TRUCK_TELEMETRY_READER to user {{ env }}TRUCK_TELEMETRY_READER;
grant role {{ env }}TRUCK_TELEMETRY_ERASER to user {{ env }}TRUCK_TELEMETRY_ERASER;
grant role {{ env }}TRUCK_TELEMETRY_DEPLOYER to role SYSADMIN;
grant role {{ env }}TRUCK_TELEMETRY_LOADER to role SYSADMIN;
grant role {{ env }}TRUCK_TELEMETRY_TRANSFORMER to role SYSADMIN;
grant role {{ env }}TRUCK_TELEMETRY_REPAIRER to role SYSADMIN;
grant role {{ env }}TRUCK_TELEMETRY_READER to role SYSADMIN;
grant role {{ env }}TRUCK_TELEMETRY_ERASER to role SYSADMIN;

-- The deployer creates everything, also what the owners of the pipe and the stream own.
grant role {{ env }}TRUCK_TELEMETRY_LOADER to role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
grant role {{ env }}TRUCK_TELEMETRY_REPAIRER to role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
grant create database on account to role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
grant create warehouse on account to role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
grant create integration on account to role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
