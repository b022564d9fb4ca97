-- The history for people and systems outside the pipeline: a secure view, whose text and tables
-- they do not see.  Grain: one row per version.  Key: TRUCK_ID, EFFECTIVE_START_DATE.
-- Where the masking policy protects positions (mask_positions.sql), it decides who sees them here
-- too.  Without it, which needs the Enterprise Edition, nobody does.
-- The role that reads it gets its rights from an administrator (administrator.sql), and keeps them
-- when the view is replaced.
create or replace secure view {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.CONSUMER_TRUCK_HISTORY
copy grants
comment = 'Truck history, SCD Type 2, for consumers: positions as the masking policy says'
as
select
    TRUCK_ID,
    EFFECTIVE_START_DATE,
    EFFECTIVE_END_DATE,
    IS_CURRENT,
    {{ consumer_attributes(params.masked | default("false") == "true") }}
from {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_HISTORY;
