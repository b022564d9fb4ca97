-- Positions are personal data of drivers: a tag says so, and a masking policy shows them to the
-- pipeline's own roles, to roles that inherit one of them, and to the roles of the setting
-- CTD_SNOWFLAKE_POSITION_ROLES.  Everybody else sees NULL.  Both need the Enterprise Edition.
-- The pipeline's roles must see what they merge: a role that writes what it sees masked would
-- store it masked.  Snowpipe inserts without reading.
-- Re-runnable: a policy that is set already is set again, with the present list of roles.
create tag if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PERSONAL_DATA
allowed_values 'position'
comment = 'Which kind of personal data a column has';

create masking policy if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.EXACT_POSITION
as (VAL float) returns float -> null; -- noqa: LT01, CP02

alter masking policy {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.EXACT_POSITION
set body ->
case
    {%- for job in ("DEPLOYER", "TRANSFORMER", "REPAIRER", "ERASER", "READER") %}
        when is_role_in_session('{{ env }}TRUCK_TELEMETRY_{{ job }}') then VAL
    {%- endfor %}
    {%- for role in (params.position_roles | default("")).split(",") if role.strip() %}
        when is_role_in_session('{{ role.strip().upper() }}') then VAL
    {%- endfor %}
end;

-- The owner of all of them, so that it may set them.
grant apply on masking policy {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.EXACT_POSITION
to role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
grant apply on tag {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PERSONAL_DATA -- noqa: PRS
to role {{ env }}TRUCK_TELEMETRY_DEPLOYER;

{%- for table in ("TRUCK_TELEMETRY_RAW", "TRUCK_TELEMETRY_DATA") %}
    {%- for column in positions %}

        alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.{{ table }}
        modify column {{ column }}
        set masking policy {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.EXACT_POSITION force;
        alter table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.{{ table }}
        modify column {{ column }}
        set tag {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PERSONAL_DATA = 'position';
    {%- endfor %}
{%- endfor %}
