"""What a probe of the archive looks like (include.archive.probe sends them, docs/adr/0006)."""

from __future__ import annotations

import msgspec

PARTITION_KEY = "pipeline-probe"


class _Payload(msgspec.Struct, forbid_unknown_fields=True):
    pipeline_probe: str


def payload(text: str) -> bytes:
    """The payload of a probe: no click or reading has such a key."""
    return msgspec.json.encode(_Payload(text))


def is_sent_as_probe(partition_key: str, data: bytes) -> bool:
    """Whether a record is a probe that provisioning sent: a producer's payload alone can look like one."""
    return partition_key == PARTITION_KEY and is_probe(data)


def is_probe(data: bytes) -> bool:
    """Whether a payload is a probe's."""
    try:
        msgspec.json.decode(data, type=_Payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True
