"""Kinesis event source mappings with AWS's documented semantics, through the public APIs of Kinesis and Lambda.

MiniStack's own poller applies none of a mapping's failure settings.  Therefore the template disables the mappings on a
laptop, and ``python -m include.local.aws.event_source_mapping --state DIR`` delivers instead.  All settings come from
ListEventSourceMappings.  docs/event-source-mapping.md lists what works as on AWS and what does not.
"""

from include.local.aws.event_source_mapping.checkpoints import MappingShardStatus, MappingStatus, read_status

__all__ = ["MappingShardStatus", "MappingStatus", "read_status"]
