-- Takes back what administrator.sql and, for the tables, mask_positions.sql set up, as the same
-- settings say:
--     python -m include.snowflake_governance --undo
-- prints these statements.  Set the settings back too, or the next provision_resources sets up its
-- part again.
{#- sqlfluff takes the end of the last block for a statement without one. #}
-- noqa: disable=CV06
{%- set users = ("DEPLOYER", "TRANSFORMER", "REPAIRER", "READER", "ERASER") %}
{%- set schema = env ~ "ECOMMERCE_DATA.TRUCK_TELEMETRY" %}
use role ACCOUNTADMIN;
{%- if params.masked | default("false") == "true" %}
    -- It has the positions as the policy says, and would show them to all consumers without it.
    drop view if exists {{ schema }}.CONSUMER_TRUCK_HISTORY;
    {%- for table in ("TRUCK_TELEMETRY_RAW", "TRUCK_TELEMETRY_DATA") %}
        {%- for column in positions %}
            alter table {{ schema }}.{{ table }} modify column {{ column }} unset masking policy;
        {%- endfor %}
    {%- endfor %}
    drop masking policy if exists {{ schema }}.EXACT_POSITION; -- noqa: CP02
    drop tag if exists {{ schema }}.PERSONAL_DATA;
{%- endif %}
{%- if params.error_integration | default("") %}
    alter pipe {{ schema }}.TRUCK_TELEMETRY_PIPE unset error_integration;
{%- endif %}
{%- if params.credit_quota | default("") %}
    alter warehouse {{ env }}TRUCK_TELEMETRY_WH unset resource_monitor;
    alter warehouse {{ env }}TRUCK_TELEMETRY_READER_WH unset resource_monitor;
    drop resource monitor if exists {{ env }}TRUCK_TELEMETRY_MONITOR;
{%- endif %}
{%- if params.allowed_ips | default("") %}
    {%- for user in users %}
        alter user {{ env }}TRUCK_TELEMETRY_{{ user }} unset network_policy;
    {%- endfor %}
    drop network policy if exists {{ env }}TRUCK_TELEMETRY_NETWORK;
{%- endif %}
{%- if params.key_pair_only | default("true") == "true" %}
    {%- for user in users %}
        alter user {{ env }}TRUCK_TELEMETRY_{{ user }} unset authentication policy;
    {%- endfor %}
    drop authentication policy if exists {{ schema }}.KEY_PAIR_ONLY; -- noqa: PRS
{%- endif %}
{%- if params.consumer_view | default("true") == "true" %}
    drop view if exists {{ schema }}.CONSUMER_TRUCK_HISTORY;
    drop role if exists {{ env }}TRUCK_TELEMETRY_CONSUMER;
{%- endif %}
