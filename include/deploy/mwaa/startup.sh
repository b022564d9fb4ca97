#!/bin/sh
# MWAA runs this on every machine before Airflow starts (docs/where-it-runs.md).  Replace the values of CTD_*.
export AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='[{"name": "clicks-to-deliveries", "classpath": "clicks_to_deliveries.dag_bundle.InstalledDagBundle", "kwargs": {}}]'
export CTD_DEPLOYMENT_BUCKET=my-deployment-bucket
export CTD_TELEMETRY_BUCKET=my-telemetry-bucket
# Outputs of the identities' stack.
export CTD_STACK_ROLE_ARN=arn:aws:iam::123456789012:role/identities/clicks-to-deliveries-stack
export CTD_PERMISSIONS_BOUNDARY_ARN=arn:aws:iam::123456789012:policy/identities/clicks-to-deliveries-boundary
# MWAA never looks in Secrets Manager for a connection of this name.
export AIRFLOW_CONN_AWS_DEFAULT='{"conn_type": "aws", "extra": {"role_arn": "arn:aws:iam::123456789012:role/identities/clicks-to-deliveries-run"}}'
