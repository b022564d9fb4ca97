"""Kinesis event source mappings with AWS's documented semantics, over the public APIs of Kinesis and Lambda.

MiniStack's own poller applies none of a mapping's failure settings, so locally the template disables the mappings and
``python -m include.local.aws.event_source_mapping --state DIR`` drives them.  All settings come from
ListEventSourceMappings; see docs/event-source-mapping.md for what is as on AWS and what is not.
"""

from include.local.aws.event_source_mapping.checkpoints import MappingStatus, ShardStatus, read_status

__all__ = ["MappingStatus", "ShardStatus", "read_status"]
