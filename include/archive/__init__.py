"""The raw archive in S3: every record that the streams took, as Firehose stores it, read back.

Objects are gzipped lines of include.contracts.archive under ``raw-archive/<stream>/<yyyy>/<mm>/<dd>/<HH>/``, the hour
(UTC) in which the oldest record of the object arrived.
"""

from include.archive.archive_errors import error_objects_since
from include.archive.archive_objects import ArchiveError, ArchiveObject, objects, read

__all__ = ["ArchiveError", "ArchiveObject", "error_objects_since", "objects", "read"]
