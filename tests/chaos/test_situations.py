"""One situation a test.  Faults hit calls between boto3 and the stores; the handlers are the bundles that AWS gets."""

import json
import threading
from hashlib import md5
from typing import Any

import pytest

from include import names
from include.local.aws.event_source_mapping.batcher import event_payload, to_event_record
from include.local.aws.shard_reader import StreamRecord
from tests.fixtures.fault_proxy import Fault, by_chance, first
from tests.fixtures.stream_path import Records, Sent, StreamPath
from tests.fixtures.waiting import wait_for

pytestmark = pytest.mark.chaos

CLICKS, TRUCKS = names.CLICK_STREAM, names.TRUCK_STREAM
STATE_WRITES = ("BatchExecuteStatement", "PutItem")


def valid(records: Records, stream: str, count: int) -> list[tuple[bytes, bool]]:
    return [(records.valid(stream), True) for _ in range(count)]


def settle(path: StreamPath) -> None:
    path.wait_until_delivered()
    path.check()


def test_nothing_goes_wrong(path, records):
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 150))
    settle(path)


@pytest.mark.verify
def test_the_emulator_killed(path, records):
    """Everything that it acknowledged is there again, and the driver resumes from its checkpoints."""
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 60))
    wait_for(lambda: path.proxy.calls, "delivery to begin")
    path.emulator.kill()
    path.emulator.start()
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 40))
    settle(path)


def test_poison_in_the_middle_of_a_batch(path, records):
    for stream in (CLICKS, TRUCKS):
        events = valid(records, stream, 30)
        events[15:15] = [(records.malformed(stream), False), (b"", False), (b"\xff" * 9, False), (b"[" * 9000, False)]
        path.put(stream, events, key="one shard")
    settle(path)


def test_an_answer_lost_after_the_write(path, records):
    # Every attempt of the first calls: the store has the data, the handler reports the batch as failed.
    path.proxy.set(first(3, Fault.LOST_ANSWER, "PutObject", "BatchWriteItem", *STATE_WRITES))
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 60))
    settle(path)
    assert path.proxy.met(Fault.LOST_ANSWER) >= 6


@pytest.mark.verify
def test_a_function_killed_after_the_write(path, records):
    # The write is done, the call hangs, and the runtime kills the function before it answers.
    for function in (names.CLICK_FUNCTION, names.TRUCK_FUNCTION):
        path.set_timeout(function, 2)
    path.proxy.set(first(1, Fault.SILENT_AFTER, "BatchWriteItem", "BatchExecuteStatement"))
    for stream in (CLICKS, TRUCKS):
        path.put(stream, valid(records, stream, 20), key="one shard")
    settle(path)
    assert path.proxy.met(Fault.SILENT_AFTER) == 2
    # A client waits three seconds, longer than its function lived: whoever wrote again was invoked again.
    assert min(path.proxy.calls["BatchWriteItem"], path.proxy.calls["BatchExecuteStatement"]) >= 2


@pytest.mark.verify
def test_a_driver_killed_after_the_write_and_before_the_checkpoint(path, records):
    path.configure(BatchSize=10)
    path.proxy.set(first(1, Fault.SILENT_AFTER, "BatchWriteItem", "BatchExecuteStatement"))
    for stream in (CLICKS, TRUCKS):
        path.put(stream, valid(records, stream, 40), key="one shard")
    wait_for(lambda: path.proxy.met(Fault.SILENT_AFTER) == 2, "both writes to hang")
    path.driver.restart()
    settle(path)


def test_batches_that_the_store_does_in_part(path, records):
    path.proxy.set(first(6, Fault.PARTIAL, "BatchWriteItem", "BatchExecuteStatement"))
    for stream in (CLICKS, TRUCKS):
        path.put(stream, valid(records, stream, 100))
    settle(path)
    assert path.proxy.met(Fault.PARTIAL) >= 7
    # Handled inside: nothing was delivered again for it.
    assert path.proxy.calls["BatchWriteItem"] < 20


def test_a_throttling_storm(path, records, seed):
    path.proxy.set(by_chance(f"{seed} storm", {Fault.THROTTLED: 0.6}))
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 100))
    wait_for(lambda: path.proxy.met(Fault.THROTTLED) >= 12, "the storm to hit")
    path.calm()
    settle(path)


def test_a_batch_cut_differently_when_it_comes_again(path, records):
    # Readings land, but the states of their trucks can't be written: the batch fails with its object in place.
    path.configure(BatchSize=40)
    path.proxy.set(first(1000, Fault.ERROR, *STATE_WRITES))
    sent = path.put(TRUCKS, valid(records, TRUCKS, 60), key="one shard")
    mine = {each.sequence_number for each in sent}
    wait_for(lambda: path.proxy.met(Fault.ERROR) >= 3, "a failed batch")
    path.driver.kill()
    path.configure(BatchSize=7)
    path.calm_faults()
    path.driver.start()
    settle(path)
    landed = [line["sequence_number"] for line in path.landed() if line["sequence_number"] in mine]
    assert len(landed) > len(mine) == len(set(landed))


def test_duplicate_keys_in_a_batch(path, records):
    click, reading = records.click(Click_Counts=7), records.reading()
    other = json.dumps({**json.loads(click), "Click_Counts": 8}).encode()
    path.proxy.set(first(2, Fault.PARTIAL, "BatchWriteItem"))
    # The second content for one key is no row: it goes to quarantine.
    path.put(CLICKS, [(click, True), *valid(records, CLICKS, 30), (click, True), (other, False)], key="one shard")
    path.put(TRUCKS, [(reading, True), *valid(records, TRUCKS, 30), (reading, True)], key="one shard")
    settle(path)


def test_delivery_twice_and_in_any_order(path, records):
    sent = {stream: path.put(stream, records.mixture(stream, 60)) for stream in (CLICKS, TRUCKS)}
    path.wait_until_delivered()
    for stream, function in ((CLICKS, names.CLICK_FUNCTION), (TRUCKS, names.TRUCK_FUNCTION)):
        events = [*_events(path, sent[stream]), *_events(path, sent[stream])]
        records.random.shuffle(events)
        for start in range(0, len(events), 25):
            payload = event_payload(events[start : start + 25])
            answer = json.loads(path.lambda_.invoke(FunctionName=function, Payload=payload)["Payload"].read())
            assert answer == {"batchItemFailures": []}
    settle(path)


def _events(path: StreamPath, sent: list[Sent]) -> list[Any]:
    """The records as the driver gives them to the function, read from the stream again."""
    events = []
    for shard in {each.shard_id for each in sent}:
        wanted = {each.sequence_number for each in sent if each.shard_id == shard}
        at = {"StreamName": sent[0].stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        iterator = path.kinesis.get_shard_iterator(**at)["ShardIterator"]
        for r in path.kinesis.get_records(ShardIterator=iterator, Limit=10_000)["Records"]:
            if r["SequenceNumber"] in wanted:
                record = StreamRecord(
                    r["SequenceNumber"], r["PartitionKey"], r["Data"], r["ApproximateArrivalTimestamp"]
                )
                arn = f"arn:aws:kinesis:us-east-1:000000000000:stream/{sent[0].stream}"
                role = "arn:aws:iam::000000000000:role/processor"
                event = to_event_record(record, shard_id=shard, stream_arn=arn, region="us-east-1", role_arn=role)
                events.append(event)
    assert len(events) == len(sent)
    return events


def test_s3_fails_in_every_way(path, records):
    ways = [Fault.ERROR, Fault.RESET, Fault.ERROR_AFTER, Fault.THROTTLED]
    path.proxy.set(lambda call: ways[call.number % 4] if call.operation == "PutObject" and call.number < 12 else None)
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 60))
    settle(path)
    assert [path.proxy.met(way) for way in ways] == [3, 3, 3, 3]


@pytest.mark.verify
def test_s3_does_not_answer(path, records):
    # The client gives up after three seconds and tries again: within the function's time.
    path.proxy.set(first(1, Fault.SILENT, "PutObject", target=names.LANDING_PREFIX))
    path.put(TRUCKS, valid(records, TRUCKS, 20), key="one shard")
    settle(path)
    assert path.proxy.met(Fault.SILENT) == 1


@pytest.mark.verify
def test_a_function_that_runs_out_of_time(path, records):
    path.set_timeout(names.TRUCK_FUNCTION, 2)
    path.proxy.set(first(1, Fault.SILENT, "PutObject", target=names.LANDING_PREFIX))
    path.put(TRUCKS, records.mixture(TRUCKS, 30), key="one shard")
    settle(path)
    assert path.proxy.met(Fault.SILENT) == 1


@pytest.mark.verify
def test_a_reshard_under_load(path, records):
    """MiniStack drops a shard with what it holds when it is split: so the shard that is split is drained, and the load
    is on the other one.  That parents are finished before children is shown on a Kinesis of AWS's kind, in the unit
    tests of the driver."""
    quiet, busy = _open_shards(path)
    keys = {shard["ShardId"]: _key_of(shard) for shard in (quiet, busy)}
    path.put(TRUCKS, valid(records, TRUCKS, 40), key=keys[quiet["ShardId"]])
    path.wait_until_delivered()
    ending = threading.Event()

    def load() -> None:
        while not ending.is_set():
            path.put(TRUCKS, valid(records, TRUCKS, 10), key=keys[busy["ShardId"]])
            ending.wait(0.05)

    thread = threading.Thread(target=load)
    thread.start()
    try:
        low, high = (int(quiet["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
        middle = str((low + high) // 2)
        path.kinesis.split_shard(StreamName=TRUCKS, ShardToSplit=quiet["ShardId"], NewStartingHashKey=middle)
        path.driver.restart()
        children = [shard for shard in _open_shards(path) if shard["ShardId"] != busy["ShardId"]]
        assert len(children) == 2
        for child in children:
            path.put(TRUCKS, records.mixture(TRUCKS, 30), key=_key_of(child))
        delivered = {shard["ShardId"] for shard in children}
        wait_for(lambda: delivered <= {line["shard_id"] for line in path.landed()}, "the children's records")
    finally:
        ending.set()
        thread.join()
    settle(path)


def _open_shards(path: StreamPath) -> list[dict[str, Any]]:
    shards = path.kinesis.list_shards(StreamName=TRUCKS)["Shards"]
    return [shard for shard in shards if "EndingSequenceNumber" not in shard["SequenceNumberRange"]]


def _key_of(shard: dict[str, Any]) -> str:
    """A partition key that Kinesis puts into the shard."""
    low, high = (int(shard["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
    return next(
        key
        for key in (f"key {n}" for n in range(1000))
        if low <= int(md5(key.encode(), usedforsecurity=False).hexdigest(), 16) <= high
    )


@pytest.mark.verify
def test_the_emulator_stopped_and_started_again(path, records, seed):
    path.configure(BatchSize=20)
    path.proxy.set(by_chance(f"{seed} restart", {Fault.THROTTLED: 0.3}))
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 100))
    wait_for(lambda: path.proxy.calls, "delivery to begin")
    path.emulator.stop()
    path.emulator.start()
    path.calm_faults()
    for stream in (CLICKS, TRUCKS):
        path.put(stream, records.mixture(stream, 40))
    settle(path)
