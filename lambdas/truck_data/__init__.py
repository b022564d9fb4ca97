"""TruckDataProcessor: TruckTelemetry -> telemetry-data/ in S3 and TruckLatestState."""
