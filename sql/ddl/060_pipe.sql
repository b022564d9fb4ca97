-- Loads each landing file when S3 announces it, on the queue that SHOW PIPES shows.
-- A new pipe does not know what was loaded, so it is replaced only when this COPY has a column that
-- the old one lacks (include/pipe_replacement.py).
-- Session time zones don't matter: the landed times are UTC without an offset, and the scan time,
-- which has one, is converted.  (CURRENT_TIMESTAMP would be the time when the pipe was compiled.)
-- A file with an unreadable line is skipped as a whole and appears in COPY_HISTORY: everything that
-- TruckDataProcessor writes should be readable.
-- It loads with the rights of its owner, a role that can do nothing else.
grant usage on database {{ env }}ECOMMERCE_DATA to role {{ env }}TRUCK_TELEMETRY_LOADER;
grant usage, create pipe on schema {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY
to role {{ env }}TRUCK_TELEMETRY_LOADER;
grant usage on stage {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STAGE
to role {{ env }}TRUCK_TELEMETRY_LOADER;
grant usage on file format {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON
to role {{ env }}TRUCK_TELEMETRY_LOADER;
grant select, insert on table {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW
to role {{ env }}TRUCK_TELEMETRY_LOADER;

use role {{ env }}TRUCK_TELEMETRY_LOADER;

create pipe if not exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
auto_ingest = true
comment = 'Landing zone of truck telemetry into TRUCK_TELEMETRY_RAW'
as
copy into {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW (
    TRUCK_ID,
    EVENT_TIME,
    {{ attributes() }},
    STREAM_NAME,
    SHARD_ID,
    SEQUENCE_NUMBER,
    ARRIVAL_TIME,
    PARTITION_KEY,
    FILE_NAME,
    FILE_ROW_NUMBER,
    LOAD_TIMESTAMP,
    NULLED_METRICS,
    SUB_SEQUENCE_NUMBER
)
from (
    select
        $1:truck_id::string,
        $1:event_time::timestamp_ntz,
        {%- for metric in metrics %}
            $1:{{ metric.name }}::{{ "float" if metric.kind == "number" else "string" }},
        {%- endfor %}
        $1:stream_name::string,
        $1:shard_id::string,
        $1:sequence_number::string,
        $1:arrival_time::timestamp_ntz,
        $1:partition_key::string,
        METADATA$FILENAME,
        METADATA$FILE_ROW_NUMBER,
        convert_timezone('UTC', METADATA$START_SCAN_TIME)::timestamp_ntz as LOAD_TIMESTAMP,
        $1:nulled_metrics::string,
        $1:sub_sequence_number::integer
    from @{{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STAGE
)
file_format = (
    format_name = '{{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON'
)
on_error = skip_file;

use role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
