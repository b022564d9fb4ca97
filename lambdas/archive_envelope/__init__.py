"""ArchiveEnvelope: records on their way through Firehose -> lines of the raw archive."""
