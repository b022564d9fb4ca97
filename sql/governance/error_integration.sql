-- Snowpipe tells the SNS topic of a notification integration about each file that it does not
-- load.  An administrator makes the integration and grants its usage to the pipe's owner
-- (docs/snowflake-governance.md).  After each provisioning, because a pipe that was replaced has
-- none.
use role {{ env }}TRUCK_TELEMETRY_LOADER;

alter pipe {{ env }}ECOMMERCE_DATA.TRUCK_TELEMETRY.TRUCK_TELEMETRY_PIPE
set error_integration = {{ params.error_integration | default("PIPE_ERRORS") }};

use role {{ env }}TRUCK_TELEMETRY_DEPLOYER;
