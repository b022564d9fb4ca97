"""The names that two parts of the pipeline must agree on.

Python code takes them from here.  The CloudFormation template and the SQL files are read by tools of their own and use
literals; tests/unit/cloudformation and tests/unit/test_names.py compare those with this module.
"""

# --- AWS -------------------------------------------------------------------------------------------------------------
CLICK_STREAM = "ClickDataStream"
TRUCK_STREAM = "TruckTelemetry"

CLICK_FUNCTION = "KinesisToDynamoDBProcessor"
TRUCK_FUNCTION = "TruckDataProcessor"
API_FUNCTION = "TruckTelemetryApi"
ARCHIVE_FUNCTION = "ArchiveEnvelope"
INTAKE_FUNCTION = "QuarantineIntake"

CLICK_TABLE = "ClickStreamData"
# Partition key Item_Hour_Shard = "<Item_ID>#<yyyy-mm-ddThh>#<shard>", sort key Timestamp.
CLICK_INDEX = "Item_Hour_Shard-Timestamp-index"
CLICK_ITEM_TABLE = "ClickItems"
TRUCK_STATE_TABLE = "TruckLatestState"

LANDING_PREFIX = "telemetry-data/"
QUARANTINE_PREFIX = "quarantine/"
# Where replay moves the records that succeed, under the same relative key.
RESOLVED_PREFIX = "quarantine-resolved/"
ARCHIVE_PREFIX = "raw-archive/"
ARCHIVE_ERROR_PREFIX = "raw-archive-errors/"
# Where AWS Lambda puts batches an event source mapping gave up on, in abandoned_bucket; the prefix is fixed by AWS.
ON_FAILURE_PREFIX = "aws/lambda/"
# Where QuarantineIntake leaves a notice of each such batch, until an alert about it is stored.
ABANDONED_PREFIX = "abandoned-batches/"

ALERT_TOPIC = "pipeline-alerts"
# CloudWatch namespace of the functions' and the DAG heartbeat's metrics.
METRICS_NAMESPACE = "ClicksToDeliveries"
# The metrics of the DAG heartbeat; they have no dimension.
SCHEDULER_HEARTBEAT = "SchedulerHeartbeat"
TRIGGERER_HEARTBEAT = "TriggererHeartbeat"
ABANDONED_BATCHES_METRIC = "AbandonedBatches"
ARCHIVE_ERRORS_METRIC = "ArchiveErrorObjects"
ALERT_SUBSCRIBERS_METRIC = "AlertSubscribers"

API = "truck-telemetry"
API_STAGE = "v1"

# --- Snowflake -------------------------------------------------------------------------------------------------------
WAREHOUSE = "TRUCK_TELEMETRY_WH"
# The dashboard's own.
READER_WAREHOUSE = "TRUCK_TELEMETRY_READER_WH"
# One role for each job (include/snowflake_identities.py).
DEPLOYER_ROLE = "TRUCK_TELEMETRY_DEPLOYER"
LOADER_ROLE = "TRUCK_TELEMETRY_LOADER"
TRANSFORMER_ROLE = "TRUCK_TELEMETRY_TRANSFORMER"
REPAIRER_ROLE = "TRUCK_TELEMETRY_REPAIRER"
READER_ROLE = "TRUCK_TELEMETRY_READER"
ERASER_ROLE = "TRUCK_TELEMETRY_ERASER"
DATABASE = "ECOMMERCE_DATA"
SCHEMA = "TRUCK_TELEMETRY"
STORAGE_INTEGRATION = "TRUCK_TELEMETRY_INTEGRATION"
FILE_FORMAT = "TRUCK_TELEMETRY_JSON"
STAGE = "TRUCK_TELEMETRY_STAGE"
PIPE = "TRUCK_TELEMETRY_PIPE"
RAW_TABLE = "TRUCK_TELEMETRY_RAW"
RAW_STREAM = "TRUCK_TELEMETRY_STREAM"
PLAUSIBILITY_STREAM = "TRUCK_PLAUSIBILITY_STREAM"
HISTORY_TABLE = "TRUCK_TELEMETRY_DATA"
KNOWN_TRUCKS_TABLE = "KNOWN_TRUCKS"
FLEET_VIEW = "FLEET"
ASSIGNMENTS_TABLE = "TRACKER_ASSIGNMENTS"
TRUCK_HISTORY_VIEW = "TRUCK_HISTORY"
QUALITY_RESULTS_TABLE = "DATA_QUALITY_RESULTS"
FINDINGS_TABLE = "PLAUSIBILITY_FINDINGS"
MERGE_RUNS_TABLE = "HISTORY_MERGE_RUNS"
LEDGER_TABLE = "CONSERVATION_LEDGER"
ALERTS_TABLE = "ALERTS"
WRITERS_TABLE = "WRITERS"
# The kinds of writers in WRITERS.
HISTORY_WRITER = "history"
QUALITY_WRITER = "quality"
LEDGER_WRITER = "ledger"
REGISTER_WRITER = "register"

# --- Airflow ---------------------------------------------------------------------------------------------------------
AWS_CONNECTION = "aws_default"
# Merges, checks and counts: the transformer.
SNOWFLAKE_CONNECTION = "snowflake_default"
# Only for provision_resources and teardown_resources, and only for repair_history.
DEPLOYER_SNOWFLAKE_CONNECTION = "snowflake_deployer"
REPAIRER_SNOWFLAKE_CONNECTION = "snowflake_repairer"
# Only for erase_truck: no other task may delete what these connections may delete.
ERASURE_AWS_CONNECTION = "aws_erasure"
ERASURE_SNOWFLAKE_CONNECTION = "snowflake_erasure"
# Outputs of the CloudFormation stack, kept by provision_resources as a JSON Airflow Variable.
STACK_OUTPUTS_VARIABLE = "pipeline_stack_outputs"
# Variables with this prefix are alerts about runs that people do not have yet (notifiers/run_outbox.py).
UNSENT_ALERT_PREFIX = "unsent_alert."
# Where generate_traffic keeps the simulated trucks between two runs.
TRAFFIC_STATE_VARIABLE = "traffic_state"
# Has one slot, so that merge, repair, rebuild and erasure never write the history at the same time.
HISTORY_WRITER_POOL = "history_writer"
OWNER = "data-platform"


def abandoned_bucket(telemetry_bucket: str) -> str:
    """The bucket for batches that a mapping gave up on: the telemetry bucket may be what failed."""
    return f"{telemetry_bucket}-abandoned"
