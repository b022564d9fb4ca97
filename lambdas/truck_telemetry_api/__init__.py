"""TruckTelemetryApi: devices' readings over HTTP -> TruckTelemetry; TruckLatestState -> whoever asks."""
