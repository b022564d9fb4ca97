"""Synthetic devices: a seeded simulation of clicks and trucks, and the producer that sends them to Kinesis."""

from include.generator.manifest import ManifestError, ManifestRecord, read_manifest
from include.generator.producer import ProducerError, kinesis_client
from include.generator.state_file import StateError
from include.generator.traffic import TrafficPlan
from include.generator.traffic_sender import StreamSummary, TrafficSummary, generate

__all__ = [
    "ManifestError",
    "ManifestRecord",
    "ProducerError",
    "StateError",
    "StreamSummary",
    "TrafficPlan",
    "TrafficSummary",
    "generate",
    "kinesis_client",
    "read_manifest",
]
