"""The names that two parts of the pipeline must agree on.

Python code takes them from here.  A name that an account or Airflow knows carries the environment (include/naming.py);
what lies inside a bucket, a table or the database does not.  The CloudFormation template and the SQL files are read by
tools of their own and use literals; tests/unit/cloudformation and tests/unit/test_names.py compare those with this
module.
"""

from include.naming import airflow, aws, snowflake

# --- AWS -------------------------------------------------------------------------------------------------------------
CLICK_STREAM = aws("ClickDataStream")
TRUCK_STREAM = aws("TruckTelemetry")

CLICK_FUNCTION = aws("KinesisToDynamoDBProcessor")
TRUCK_FUNCTION = aws("TruckDataProcessor")
API_FUNCTION = aws("TruckTelemetryApi")
ARCHIVE_FUNCTION = aws("ArchiveEnvelope")
INTAKE_FUNCTION = aws("QuarantineIntake")

CLICK_TABLE = aws("ClickStreamData")
# Partition key Item_Hour_Shard = "<Item_ID>#<yyyy-mm-ddThh>#<shard>", sort key Timestamp.
CLICK_INDEX = "Item_Hour_Shard-Timestamp-index"
CLICK_ITEM_TABLE = aws("ClickItems")
TRUCK_STATE_TABLE = aws("TruckLatestState")
# Which trucks each caller of the API may send and read.
API_CALLER_TABLE = aws("ApiCallers")

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

ALERT_TOPIC = aws("pipeline-alerts")
# CloudWatch namespace of the functions' and the DAG heartbeat's metrics.
METRICS_NAMESPACE = aws("ClicksToDeliveries")
# The metrics of the DAG heartbeat; they have no dimension.
SCHEDULER_HEARTBEAT = "SchedulerHeartbeat"
TRIGGERER_HEARTBEAT = "TriggererHeartbeat"
ABANDONED_BATCHES_METRIC = "AbandonedBatches"
ARCHIVE_ERRORS_METRIC = "ArchiveErrorObjects"
ALERT_SUBSCRIBERS_METRIC = "AlertSubscribers"

API = aws("truck-telemetry")
API_STAGE = "v1"

# --- Snowflake -------------------------------------------------------------------------------------------------------
WAREHOUSE = snowflake("TRUCK_TELEMETRY_WH")
# The dashboard's own.
READER_WAREHOUSE = snowflake("TRUCK_TELEMETRY_READER_WH")
# One role for each job (include/snowflake_identities.py).
DEPLOYER_ROLE = snowflake("TRUCK_TELEMETRY_DEPLOYER")
LOADER_ROLE = snowflake("TRUCK_TELEMETRY_LOADER")
TRANSFORMER_ROLE = snowflake("TRUCK_TELEMETRY_TRANSFORMER")
REPAIRER_ROLE = snowflake("TRUCK_TELEMETRY_REPAIRER")
READER_ROLE = snowflake("TRUCK_TELEMETRY_READER")
ERASER_ROLE = snowflake("TRUCK_TELEMETRY_ERASER")
# Reads the secure view of the history and nothing else; nobody of the pipeline has it.
CONSUMER_ROLE = snowflake("TRUCK_TELEMETRY_CONSUMER")
RESOURCE_MONITOR = snowflake("TRUCK_TELEMETRY_MONITOR")
NETWORK_POLICY = snowflake("TRUCK_TELEMETRY_NETWORK")
DATABASE = snowflake("ECOMMERCE_DATA")
SCHEMA = "TRUCK_TELEMETRY"
STORAGE_INTEGRATION = snowflake("TRUCK_TELEMETRY_INTEGRATION")
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
CONSUMER_VIEW = "CONSUMER_TRUCK_HISTORY"
POSITION_POLICY = "EXACT_POSITION"
PERSONAL_DATA_TAG = "PERSONAL_DATA"
AUTHENTICATION_POLICY = "KEY_PAIR_ONLY"
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
# One AWS identity for each job (include/cloudformation/identities.yaml).  The scheduled DAGs:
AWS_CONNECTION = airflow("aws_default")
# Only for provision_resources and teardown_resources, only for replay, and only for generate_traffic.
DEPLOYER_AWS_CONNECTION = airflow("aws_deployer")
REPLAY_AWS_CONNECTION = airflow("aws_replay")
TRAFFIC_AWS_CONNECTION = airflow("aws_traffic")
# Merges, checks and counts: the transformer.
SNOWFLAKE_CONNECTION = airflow("snowflake_default")
# Only for provision_resources and teardown_resources, and only for repair_history.
DEPLOYER_SNOWFLAKE_CONNECTION = airflow("snowflake_deployer")
REPAIRER_SNOWFLAKE_CONNECTION = airflow("snowflake_repairer")
# Only for erase_truck: no other task may delete what these connections may delete.
ERASURE_AWS_CONNECTION = airflow("aws_erasure")
ERASURE_SNOWFLAKE_CONNECTION = airflow("snowflake_erasure")
# Leads to Airflow's own database, which no other task may reach.
METADATA_CONNECTION = airflow("airflow_metadata")
# Outputs of the CloudFormation stack, kept by provision_resources as a JSON Airflow Variable.
STACK_OUTPUTS_VARIABLE = airflow("pipeline_stack_outputs")
# Variables with this prefix are alerts about runs that people do not have yet (notifiers/run_outbox.py).
UNSENT_ALERT_PREFIX = airflow("unsent_alert.")
# Variables with the record of an erasure until its last copy is gone.
ERASURE_PREFIX = airflow("erased.")
# Where generate_traffic keeps the simulated trucks between two runs.
TRAFFIC_STATE_VARIABLE = airflow("traffic_state")
# How much a run of generate_traffic has sent, for a retry after its worker was lost.
TRAFFIC_PROGRESS_VARIABLE = airflow("traffic_progress")
# Has one slot, so that merge, repair, rebuild and erasure never write the history at the same time.
HISTORY_WRITER_POOL = airflow("history_writer")
OWNER = "data-platform"


def dag(file: str) -> str:
    """The id of the DAG in ``dags/<file>.py``."""
    return airflow(file)


def abandoned_bucket(telemetry_bucket: str) -> str:
    """The bucket for batches that a mapping gave up on: the telemetry bucket may be what failed."""
    return f"{telemetry_bucket}-abandoned"
