-- Drops everything that sql/ddl created, including the history.  Re-runnable.  The database stays,
-- because others may use it.  UNDROP restores tables within their time-travel retention; nothing
-- else can be restored.
drop pipe if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE;
drop stream if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STREAM;
drop stream if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_PLAUSIBILITY_STREAM;
drop stage if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_STAGE;
drop file format if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_JSON;
drop view if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSUMER_TRUCK_HISTORY;
drop view if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_HISTORY;
drop view if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.FLEET;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_RAW;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_DATA;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.HISTORY_MERGE_RUNS;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.DATA_QUALITY_RESULTS;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PLAUSIBILITY_FINDINGS;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.KNOWN_TRUCKS;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRACKER_ASSIGNMENTS;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSERVATION_LEDGER;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.ALERTS;
drop table if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.WRITERS;
{%- if params.masked | default("false") == "true" %}
    drop masking policy if exists -- noqa: CP02
    {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.EXACT_POSITION;
    drop tag if exists {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.PERSONAL_DATA;
{%- endif %}
drop integration if exists {{ env }}TRUCK_TELEMETRY_INTEGRATION;
drop warehouse if exists {{ env }}TRUCK_TELEMETRY_WH;
drop warehouse if exists {{ env }}TRUCK_TELEMETRY_READER_WH;
