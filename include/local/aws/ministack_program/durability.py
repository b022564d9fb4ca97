"""MiniStack keeps what it has acknowledged, also when it is killed.

MiniStack writes its state when it is asked to stop.  Here records of streams, items of tables and messages of queues
are also appended to a journal, before the call is answered.  The next start restores the last saved state, and then
what the journal has beyond it.  Everything else (stacks, functions, roles, sessions, …) changes rarely and is saved a
few seconds after a call to its service.  Log lines, metrics and how long a message stays invisible can go back by these
seconds.  S3 stores its objects itself; its notifications are sent before the call is answered, not after.
"""

import asyncio
import json
import logging
import os
import time
from contextvars import ContextVar
from pathlib import Path

from ministack import app
from ministack.core import persistence
from ministack.services import dynamodb, kinesis, s3, sqs, sts

SAVE_EVERY_SECONDS = 2.0
# Of the time of the one thread that also answers the calls.
SAVING_SHARE = 0.05
STATE = Path(persistence.STATE_DIR)
log = logging.getLogger("durability")


# Made once: an encoder costs as much as an item.
encode = json.JSONEncoder(default=persistence._json_default, separators=(",", ":")).encode


class Journal:
    """Entries of one service since its state was saved, one JSON line each."""

    def __init__(self, service):
        self.path = STATE / f"{service}.journal"
        self.file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self.size = os.fstat(self.file).st_size

    def append(self, entries):
        """Raises OSError, and leaves no half of a line, if the entries could not be written."""
        lines = "".join([f"{encode(each)}\n" for each in entries]).encode()
        try:
            if (written := os.write(self.file, lines)) != len(lines):
                raise OSError(f"only {written} of {len(lines)} bytes could be written to {self.path}")
        except OSError:
            self.cut(self.size)
            raise
        self.size += len(lines)

    def entries(self):
        """Yield every entry; a line that a kill cut off was not acknowledged."""
        whole = 0
        with self.path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    whole += len(line)
                    yield json.loads(line, object_hook=persistence._json_object_hook)
        self.cut(whole)

    def cut(self, size):
        os.ftruncate(self.file, size)
        self.size = size


STATE.mkdir(parents=True, exist_ok=True)
MODULES = {"kinesis": kinesis, "dynamodb": dynamodb, "sqs": sqs}
JOURNALS = {service: Journal(service) for service in MODULES}

# --- Streams ----------------------------------------------------------------------------------------------------------


def last_number(shard):
    return shard["records"][-1]["SequenceNumber"] if shard["records"] else ""


def with_journal(put):
    def put_and_write(data):
        _, stream = kinesis._resolve_stream(data)
        before = {name: last_number(shard) for name, shard in stream["shards"].items()} if stream else {}
        answer = put(data)
        added = {}
        for name, number in before.items():
            records = stream["shards"][name]["records"]
            first = len(records)
            while first and records[first - 1]["SequenceNumber"] > number:
                first -= 1
            if first < len(records):
                added[name] = records[first:]
        try:
            JOURNALS["kinesis"].append([[stream["StreamARN"], name, records] for name, records in added.items()])
        except OSError:
            # Not acknowledged, so not kept.
            for name, records in added.items():
                del stream["shards"][name]["records"][-len(records) :]
            raise
        return answer

    return put_and_write


kinesis._put_record = with_journal(kinesis._put_record)
kinesis._put_records = with_journal(kinesis._put_records)


def restore_records():
    streams = {stream["StreamARN"]: stream for stream in kinesis._streams._data.values()}
    for arn, name, records in JOURNALS["kinesis"].entries():
        if shard := streams.get(arn, {}).get("shards", {}).get(name):
            last = last_number(shard)
            shard["records"] += [each for each in records if each["SequenceNumber"] > last]


# --- Tables -----------------------------------------------------------------------------------------------------------

set_item, remove_item, items_replaced = dynamodb._set_item, dynamodb._remove_item, dynamodb._items_replaced


def set_and_write(table, partition, sort, item):
    JOURNALS["dynamodb"].append([[table["TableArn"], partition, sort, item]])
    return set_item(table, partition, sort, item)


def remove_and_write(table, partition, sort):
    JOURNALS["dynamodb"].append([[table["TableArn"], partition, sort, None]])
    return remove_item(table, partition, sort)


def replaced_and_saved(table):
    items_replaced(table)
    save("dynamodb")


dynamodb._set_item, dynamodb._remove_item = set_and_write, remove_and_write
dynamodb._items_replaced = replaced_and_saved


def restore_items():
    tables = {table["TableArn"]: table for table in dynamodb._tables._data.values()}
    for arn, partition, sort, item in JOURNALS["dynamodb"].entries():
        if (table := tables.get(arn)) is None:
            continue
        if item is None:
            remove_item(table, partition, sort)
        else:
            set_item(table, partition, sort, item)


# --- Queues -----------------------------------------------------------------------------------------------------------

# Queue -> ids of its messages in the saved state and the journal.
written = {}


def write_messages():
    """Write which messages have come and gone since the last call."""
    entries = []
    for url, queue in sqs._queues._data.items():
        url = url[-1]
        ids, known = {each["id"] for each in queue["messages"]}, written.get(url, set())
        if ids != known:
            entries.append([url, [each for each in queue["messages"] if each["id"] not in known], list(known - ids)])
    if entries:
        JOURNALS["sqs"].append(entries)
        note_messages()


def note_messages():
    written.clear()
    written.update({url[-1]: {each["id"] for each in queue["messages"]} for url, queue in sqs._queues._data.items()})


def restore_messages():
    queues = {url[-1]: queue for url, queue in sqs._queues._data.items()}
    for url, came, gone in JOURNALS["sqs"].entries():
        if queue := queues.get(url):
            known = {each["id"] for each in queue["messages"]}
            queue["messages"] += [each for each in came if each["id"] not in known]
            queue["messages"] = [each for each in queue["messages"] if each["id"] not in gone]
    note_messages()


def fire_event(bucket, key, event, *more, **extra):
    if bucket in s3._bucket_notifications:
        s3._fire_s3_event(bucket, key, event, *more, sequencer=s3._next_event_sequencer(event), **extra)


s3._fire_s3_event_async = fire_event

# --- Objects ----------------------------------------------------------------------------------------------------------

# Files of this call that MiniStack could not write, about which it only logs a line.
unwritten = ContextVar("unwritten")
unwritten.set([])  # For what is written in no call.
write_file, persist_object, check_put_preconditions = s3._atomic_write, s3._persist_object, s3._check_put_preconditions


def write_or_note(path, data, **options):
    try:
        write_file(path, data, **options)
    except OSError:
        unwritten.get().append(path)
        raise


def persist_or_mark(bucket, key, stored):
    failures = len(unwritten.get())
    persist_object(bucket, key, stored)
    if len(unwritten.get()) > failures and isinstance(stored, dict):
        stored["is_unwritten"] = True


def check_what_is_written(headers, stored):
    """The caller was told that it failed, and repeats it: a condition such as If-None-Match must not meet it then."""
    return check_put_preconditions(headers, None if stored and stored.get("is_unwritten") else stored)


s3._atomic_write, s3._persist_object = write_or_note, persist_or_mark
s3._check_put_preconditions = check_what_is_written

# --- Everything else --------------------------------------------------------------------------------------------------

sts.get_state = lambda: {"sessions": dict(sts._sessions)}
sts.load_persisted_state = lambda data: sts._sessions.update(data.get("sessions", {}))

# Services that were called since they were saved.
called = set()
# Hash of the state that was saved last; of a service with a journal its shape.
saved = {}


def shape(service):
    """What a service with a journal holds, without what is in the journal."""
    if service == "kinesis":
        return repr(
            [
                {**stream, "shards": {name: {**each, "records": 0} for name, each in stream["shards"].items()}}
                for stream in kinesis._streams._data.values()
            ]
        )
    if service == "sqs":
        return repr([(queue["attributes"], queue["tags"]) for queue in sqs._queues._data.values()])
    data = ("items", dynamodb._INDEX_MEMBERS, "ItemCount", "TableSizeBytes")
    tables = [{key: each[key] for key in each if key not in data} for each in dynamodb._tables._data.values()]
    settings = (dynamodb._tags, dynamodb._ttl_settings, dynamodb._pitr_settings, dynamodb._resource_policies)
    return repr([tables, [each._data for each in settings]])


def save(service):
    """Save the state of a service with a journal; from then on, the journal has only what comes later."""
    if is_saved(service, MODULES[service].get_state()):
        JOURNALS[service].cut(0)
        saved[service] = shape(service)
        if service == "sqs":
            note_messages()


def is_saved(service, state):
    """Save it; MiniStack only logs that it could not."""
    file = STATE / f"{service}.json"
    before = file.stat().st_ino if file.exists() else None
    persistence.save_state(service, state)
    return file.exists() and file.stat().st_ino != before


def save_what_changed():
    # A stack changes other services without calling them.
    is_stack, keys = "cloudformation" in called, {key for key, module in app._state_map.items() if module in called}
    called.clear()
    for service in JOURNALS:
        if shape(service) != saved.get(service):
            save(service)
    for service, state_of in app._build_persistence_save_dict().items():
        if service in JOURNALS or not (is_stack or service in keys) or (state := state_of()) is None:
            continue
        if (text := hash(encode(state))) == saved.get(service):
            continue
        if is_saved(service, state):
            saved[service] = text
        else:
            called.add(app._state_map[service])
    write_messages()


async def save_from_time_to_time():
    while True:
        began = time.monotonic()
        try:
            save_what_changed()
        except Exception:
            log.exception("The state could not be saved; it is tried again")
            called.update(app._state_map.values())
        await asyncio.sleep(max(SAVE_EVERY_SECONDS, (time.monotonic() - began) / SAVING_SHARE))


get_module, load, save_all, dispatch = (
    app._get_module,
    app._load_persisted_state,
    app.save_all,
    app._dispatch_service_request,
)


def get_and_note(name):
    called.add(name)
    return get_module(name)


def load_and_restore():
    load()
    restore_records()
    restore_items()
    restore_messages()
    saved.update({service: shape(service) for service in JOURNALS})
    app.saving = asyncio.get_running_loop().create_task(save_from_time_to_time())


def save_all_and_clear(services):
    app.saving.cancel()
    save_all({name: state for name, state in services.items() if name not in JOURNALS})
    for service in JOURNALS:
        save(service)


async def dispatch_and_write(method, path, headers, *request):
    unwritten.set(files := [])
    answer = await dispatch(method, path, headers, *request)
    if files:
        return 500, {"Content-Type": "application/xml"}, b"<Error><Code>InternalError</Code></Error>"
    if headers.get("x-amz-target", "").partition("_")[0] not in ("Kinesis", "DynamoDB", "Logs"):
        write_messages()
    return answer


app._get_module, app._load_persisted_state, app.save_all = get_and_note, load_and_restore, save_all_and_clear
app._dispatch_service_request = dispatch_and_write
