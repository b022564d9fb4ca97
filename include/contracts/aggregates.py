"""Aggregated records: many user records in one Kinesis record, as the KPL, Fluent Bit and other producers send them.

An aggregate is MAGIC, a protobuf message AggregatedRecord, and the MD5 of that message:
https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
"""

from __future__ import annotations

from functools import cache
from hashlib import md5
from typing import NamedTuple, Protocol

from include.contracts.errors import ContractError, short_repr

# No JSON text begins with it.
MAGIC = b"\xf3\x89\x9a\xc2"
DIGEST_BYTES = 16


class UserRecord(NamedTuple):
    """One record as its producer handed it to the aggregating library."""

    partition_key: str
    payload: bytes


def is_aggregate(payload: bytes) -> bool:
    """Whether ``payload`` says that it is an aggregate; it may still be broken."""
    return payload.startswith(MAGIC)


def user_records(aggregate: bytes) -> list[UserRecord]:
    """The records in an aggregate, in its order, at least one.  Their positions are their sub-sequence numbers.

    Only one level is taken apart, as Firehose and the KCL do.  Explicit hash keys only choose shards, so none is
    returned.

    Raises:
        ContractError: ``broken_aggregate``.  Then no record of it counts: half an aggregate would hide the other half.
    """
    message, digest = aggregate[len(MAGIC) : -DIGEST_BYTES], aggregate[-DIGEST_BYTES:]
    if not message or md5(message, usedforsecurity=False).digest() != digest:
        raise _broken(
            aggregate, "a message followed by its MD5; this one is cut off, changed or followed by other bytes"
        )
    records = _decode(aggregate, message)
    if not records:
        raise _broken(aggregate, "at least one user record")
    return records


def rejection(aggregate: bytes) -> ContractError:
    """Why an aggregate is no click and no reading.

    Those of a stream are taken apart before the contract sees them.  So one that gets this far is broken, or it was a
    user record of another aggregate, or it was sent to the API.
    """
    try:
        user_records(aggregate)
    except ContractError as error:
        return error
    return _broken(aggregate, "only in a stream, and not inside another one")


def _broken(aggregate: bytes, rule: str) -> ContractError:
    return ContractError("broken_aggregate", None, short_repr(aggregate[:80]), f"aggregated record (KPL): {rule}")


def _decode(aggregate: bytes, message: bytes) -> list[UserRecord]:
    # Imported with the first aggregate: most deployments never receive one, and every cold start would be slower.
    from google.protobuf.message import DecodeError

    try:
        found = _new_message()
        found.ParseFromString(message)
        # The C implementation accepts a message without its required fields.
        if not found.IsInitialized():
            raise _broken(aggregate, "user records with partition key and data")
        keys, hash_keys = [key.decode() for key in found.partition_key_table], len(found.explicit_hash_key_table)
    except (DecodeError, UnicodeDecodeError) as error:
        raise _broken(aggregate, f"a protobuf message AggregatedRecord: {error}") from error
    for number, record in enumerate(found.records):
        if record.partition_key_index >= len(keys):
            raise _broken(
                aggregate, f"user record {number} has partition key {record.partition_key_index} of {len(keys)}"
            )
        if record.HasField("explicit_hash_key_index") and record.explicit_hash_key_index >= hash_keys:
            of = f"{record.explicit_hash_key_index} of {hash_keys}"
            raise _broken(aggregate, f"user record {number} has explicit hash key {of}")
    return [UserRecord(keys[record.partition_key_index], record.data) for record in found.records]


class _Record(Protocol):
    partition_key_index: int
    explicit_hash_key_index: int
    data: bytes

    def HasField(self, name: str) -> bool: ...


class _AggregatedRecord(Protocol):
    partition_key_table: list[bytes]
    explicit_hash_key_table: list[bytes]
    records: list[_Record]

    def ParseFromString(self, data: bytes) -> int: ...

    def IsInitialized(self) -> bool: ...


def _new_message() -> _AggregatedRecord:
    message: _AggregatedRecord = _message_class()()
    return message


@cache
def _message_class() -> type:
    """The class of AggregatedRecord, without the tags, which no producer sends.

    The tables hold texts.  They are read as bytes, because protobuf does not check their UTF-8.
    """
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    messages = {
        "Record": [
            ("partition_key_index", field.TYPE_UINT64, field.LABEL_REQUIRED),
            ("explicit_hash_key_index", field.TYPE_UINT64, field.LABEL_OPTIONAL),
            ("data", field.TYPE_BYTES, field.LABEL_REQUIRED),
        ],
        "AggregatedRecord": [
            ("partition_key_table", field.TYPE_BYTES, field.LABEL_REPEATED),
            ("explicit_hash_key_table", field.TYPE_BYTES, field.LABEL_REPEATED),
            ("records", field.TYPE_MESSAGE, field.LABEL_REPEATED),
        ],
    }
    file = descriptor_pb2.FileDescriptorProto(name="aggregated_record.proto", syntax="proto2")
    for message, fields in messages.items():
        described = file.message_type.add(name=message)
        for number, (name, kind, label) in enumerate(fields, 1):
            type_name = "Record" if kind == field.TYPE_MESSAGE else None
            described.field.add(name=name, number=number, type=kind, label=label, type_name=type_name)
    # A pool of our own: names in the default one can meet those of other libraries.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found: type = message_factory.GetMessageClass(pool.FindMessageTypeByName("AggregatedRecord"))
    return found
