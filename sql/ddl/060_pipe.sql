-- Loads each landing file as S3 announces it.  SHOW PIPES tells the queue that the bucket notifies.
-- Never replaced: a new pipe forgets what it loaded and would load old files again.
-- Session time zones don't matter: the landed times are UTC without an offset, and the scan time,
-- which has one, is converted.  (CURRENT_TIMESTAMP would be when the pipe was compiled.)
-- A file with an unreadable line is skipped whole and shown by COPY_HISTORY, as nothing that
-- TruckDataProcessor writes should be unreadable.
create pipe if not exists ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
auto_ingest = true
comment = 'Landing zone of truck telemetry into TRUCK_TELEMETRY_RAW'
as
copy into ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW (
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
    LOAD_TIMESTAMP
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
        convert_timezone('UTC', METADATA$START_SCAN_TIME)::timestamp_ntz as LOAD_TIMESTAMP
    from @ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STAGE
)
file_format = (format_name = 'ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON')
on_error = skip_file;
