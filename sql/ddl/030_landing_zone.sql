-- The landing zone in S3, as TruckDataProcessor writes it: gzipped, one JSON object per line.
-- Re-runnable: an existing integration keeps its external id, which the role in AWS trusts; a new
-- one has that of CTD_SNOWFLAKE_EXTERNAL_ID, or one that Snowflake chooses.  A
-- replaced integration gets another id and is locked out until the stack is deployed again.  So a
-- changed bucket or role needs an ALTER by hand.
create file format if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON
    type = json
    compression = gzip
    comment = 'Newline-delimited JSON, gzipped';

create storage integration if not exists {{ env }}TRUCK_TELEMETRY_INTEGRATION
type = external_stage
storage_provider = 'S3'
storage_aws_role_arn = '{{ params.storage_role_arn }}'
{%- if params.external_id | default("") %}
    storage_aws_external_id = '{{ params.external_id }}'
{%- endif %}
enabled = true
storage_allowed_locations = ('s3://{{ params.telemetry_bucket }}/telemetry-data/')
comment = 'Reads the landing zone of truck telemetry and nothing else';

create stage if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STAGE
    url = 's3://{{ params.telemetry_bucket }}/telemetry-data/'
    storage_integration = {{ env }}TRUCK_TELEMETRY_INTEGRATION
    file_format = (
        format_name = '{{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON'
    )
    comment = 'Landing zone of truck telemetry';
