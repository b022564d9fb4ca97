-- What only an administrator may set up, as the CTD_SNOWFLAKE_* settings say.  Run it after
-- provision_resources has created the objects, and again after a setting changed:
--     python -m include.snowflake_governance
-- prints these statements, and with --undo those that take all of it back.
{#- sqlfluff takes the end of the last block for a statement without one. #}
-- noqa: disable=CV06
{%- set users = ("DEPLOYER", "TRANSFORMER", "REPAIRER", "READER", "ERASER") %}
{%- set schema = env ~ "ECOMMERCE_DATA.TRUCK_TELEMETRY" %}
{%- if params.consumer_view | default("true") == "true" %}
    use role USERADMIN;

    -- Grant it to the roles of whoever may read the history.  They bring their own warehouse.
    create role if not exists {{ env }}TRUCK_TELEMETRY_CONSUMER
    comment = 'Consumers: read the secure view of the history, and nothing else';

{%- endif %}
use role ACCOUNTADMIN;
{%- if params.credit_quota | default("") %}

    -- Both warehouses together; Snowpipe and cloud services are not in it.
    create resource monitor if not exists {{ env }}TRUCK_TELEMETRY_MONITOR
    with credit_quota = {{ params.credit_quota }}
    frequency = monthly
    start_timestamp = immediately
    triggers
    on 80 percent do notify
    on 100 percent do suspend
    on 110 percent do suspend_immediate;
    alter resource monitor {{ env }}TRUCK_TELEMETRY_MONITOR
    set credit_quota = {{ params.credit_quota }};
    alter warehouse {{ env }}TRUCK_TELEMETRY_WH
    set resource_monitor = {{ env }}TRUCK_TELEMETRY_MONITOR;
    alter warehouse {{ env }}TRUCK_TELEMETRY_READER_WH
    set resource_monitor = {{ env }}TRUCK_TELEMETRY_MONITOR;
{%- endif %}
{%- if params.allowed_ips | default("") %}
    {%- set addresses = "'" ~ params.allowed_ips.replace(" ", "").replace(",", "', '") ~ "'" %}

    -- From where the pipeline's users log in.
    create network policy if not exists {{ env }}TRUCK_TELEMETRY_NETWORK
    allowed_ip_list = ({{ addresses }});
    alter network policy {{ env }}TRUCK_TELEMETRY_NETWORK
    set allowed_ip_list = ({{ addresses }});
    {%- for user in users %}
        alter user {{ env }}TRUCK_TELEMETRY_{{ user }}
        set network_policy = {{ env }}TRUCK_TELEMETRY_NETWORK;
    {%- endfor %}
{%- endif %}
{%- if params.key_pair_only | default("true") == "true" %}

    -- How: with their keys, whatever else the account allows.
    create authentication policy if not exists {{ schema }}.KEY_PAIR_ONLY
    authentication_methods = ('KEYPAIR')
    comment = 'Service users of the pipeline';
    {%- for user in users %}
        alter user {{ env }}TRUCK_TELEMETRY_{{ user }}
        set authentication policy {{ schema }}.KEY_PAIR_ONLY force;
    {%- endfor %}
{%- endif %}
{%- if params.consumer_view | default("true") == "true" %}
    grant usage on database {{ env }}ECOMMERCE_DATA to role {{ env }}TRUCK_TELEMETRY_CONSUMER;
    grant usage on schema {{ schema }} to role {{ env }}TRUCK_TELEMETRY_CONSUMER;
    grant select on view {{ schema }}.CONSUMER_TRUCK_HISTORY
    to role {{ env }}TRUCK_TELEMETRY_CONSUMER;
    grant role {{ env }}TRUCK_TELEMETRY_CONSUMER to role SYSADMIN;
{%- endif %}
