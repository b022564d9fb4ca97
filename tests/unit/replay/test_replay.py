"""The guarantees of a replay: resolved once, kept with its history, stopped anywhere, run again."""

import json
import threading
from base64 import b64decode
from datetime import UTC, datetime

import pytest

from include import names
from include.aws_clients import ReprocessingClients
from include.contracts.quarantine import Attempt
from include.replay import ReplayLimits, replay_report
from include.replay.__main__ import main
from include.replay.quarantine_store import QuarantineStore
from include.replay.selection import SelectedRecord
from include.stream_functions import FunctionError
from lambdas.common.batch import records
from tests.fixtures.aggregates import aggregate

pytestmark = pytest.mark.unit

QUARANTINE, RESOLVED = names.QUARANTINE_PREFIX, names.RESOLVED_PREFIX


class Killed(BaseException):
    """Like SIGKILL: nothing catches it."""


def attempts(document):
    return [(attempt["by"], attempt["outcome"]) for attempt in document["history"]]


def test_a_dry_run_counts_by_stream_and_reason_and_changes_nothing(cloud, functions):
    cloud.put(1)
    cloud.put(2, reason="missing")
    cloud.put(3, stream=names.TRUCK_STREAM, arrival="2026-11-22T15:00:00.000000")
    before = cloud.objects("")
    selected: list[SelectedRecord] = []

    summary = cloud.replay(dry_run=True, on_selected=selected.append)

    assert summary.chosen == {
        names.CLICK_STREAM: {"not_processed": 1, "missing": 1},
        names.TRUCK_STREAM: {"not_processed": 1},
    }
    assert (summary.oldest, summary.newest) == ("2026-11-22T14:30:00.250000", "2026-11-22T15:00:00.000000")
    assert (summary.outcomes, summary.failed) == ({}, False)
    assert [each.sequence_number for each in selected] == ["1", "2", "3"]
    assert functions.events == []
    assert cloud.objects("") == before


def test_what_succeeds_moves_with_its_history_and_what_does_not_stays_with_its_new_reason(cloud, functions):
    good, bad = cloud.put(1), cloud.put(2, b"invalid")

    summary = cloud.replay()

    assert summary.outcomes == {"resolved": 1, "still_invalid": 1}
    assert summary.still == {"missing": 1}
    assert not summary.failed
    ((resolved_key, resolved),) = cloud.objects(RESOLVED).items()
    assert resolved_key == good.replace(QUARANTINE, RESOLVED)
    assert attempts(resolved) == [("a test", "resolved")]
    ((kept_key, kept),) = cloud.objects(QUARANTINE).items()
    assert kept_key == bad
    assert (kept["reason"], kept["field"], kept["rule"]) == ("missing", "Item_ID", "must be there")
    assert attempts(kept) == [("a test", "still_invalid")]
    assert kept["history"][0]["detail"] == "missing: must be there"

    functions.fixed = True
    assert cloud.replay(by="the next").outcomes == {"resolved": 1}

    assert cloud.objects(QUARANTINE) == {}
    assert attempts(cloud.objects(RESOLVED)[bad.replace(QUARANTINE, RESOLVED)]) == [
        ("a test", "still_invalid"),
        ("the next", "resolved"),
    ]
    assert cloud.replay().total == 0


def test_records_of_one_aggregate_are_judged_apart_and_in_order(cloud, functions):
    keys = [
        cloud.put(7, payload, position=place) for place, payload in ((10, b"valid"), (2, b"invalid"), (0, b"valid"))
    ]
    assert [key.rpartition("-")[2] for key in keys] == ["7.10.json", "7.2.json", "7.json"]
    assert cloud.replay().outcomes == {"resolved": 2, "still_invalid": 1}
    (event,) = functions.events
    assert [record["kinesis"]["subSequenceNumber"] for record in event["Records"]] == [0, 2, 10]
    assert list(cloud.objects(QUARANTINE)) == [keys[1]]


def test_an_aggregate_that_an_older_version_quarantined_is_taken_apart_and_no_other_one(cloud, functions):
    payload = aggregate([b"1", b"2"])
    cloud.put(7, payload, reason="not_json")
    cloud.put(8, payload, reason="broken_aggregate")
    cloud.replay()
    (event,) = functions.events
    assert [(each.envelope.number, each.payload) for each in records(event)] == [
        ("7", b"1"),
        ("7.1", b"2"),
        ("8", payload),
    ]


def test_an_aggregate_of_an_older_version_whose_first_record_is_still_invalid_is_resolved_after_the_fix(
    cloud, functions
):
    key = cloud.put(7, aggregate([b"invalid", b"valid"]), reason="not_json")

    assert cloud.replay().still == {"missing": 1}

    # What is left of it is its first record; the function has stored the other.
    (kept,) = cloud.objects(QUARANTINE).values()
    assert (b64decode(kept["payload_base64"]), kept["reason"]) == (b"invalid", "missing")
    assert (kept["envelope"]["sequence_number"], kept["envelope"]["partition_key"]) == ("7", "key-0")
    assert functions.sinks[names.CLICK_FUNCTION] == {("shardId-000000000000", "7.1")}
    functions.fixed = True
    assert cloud.replay().outcomes == {"resolved": 1}
    assert cloud.objects(QUARANTINE) == {}
    assert attempts(cloud.objects(RESOLVED)[key.replace(QUARANTINE, RESOLVED)]) == [
        ("a test", "still_invalid"),
        ("a test", "resolved"),
    ]
    assert functions.sinks[names.CLICK_FUNCTION] == {("shardId-000000000000", number) for number in ("7", "7.1")}


def test_a_broken_aggregate_that_an_older_version_quarantined_stays_as_it_was_sent(cloud, functions):
    payload = aggregate([b"1", b"2"])[:-1]
    cloud.put(7, payload, reason="not_json")
    assert cloud.replay().still == {"broken_aggregate": 1}
    assert cloud.replay().still == {"broken_aggregate": 1}
    (kept,) = cloud.objects(QUARANTINE).values()
    assert (b64decode(kept["payload_base64"]), kept["envelope"]["partition_key"]) == (payload, "key-7")


def test_a_record_of_an_aggregate_that_is_no_json_keeps_its_place_and_its_verdict(cloud, functions):
    key = cloud.put(7, b"invalid", position=3, reason="not_json")
    assert cloud.replay().outcomes == {"still_invalid": 1}
    (event,) = functions.events
    assert [each.envelope.number for each in records(event)] == ["7.3"]
    assert list(cloud.objects(QUARANTINE)) == [key]


def test_the_event_is_that_of_the_mapping_with_the_original_envelope(cloud, functions):
    cloud.put(7, b"\x00\xff", arrival="2026-11-22T14:30:00.123457")
    cloud.replay(by="who")
    (event,) = functions.events
    assert event == {
        "replay": {"by": "who"},
        "is_stored": True,
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "key-7",
                    "sequenceNumber": "7",
                    "data": "AP8=",
                    "approximateArrivalTimestamp": 1795357800.123457,
                    "subSequenceNumber": 0,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": "shardId-000000000000:7",
                "eventName": "aws:kinesis:record",
                "eventSourceARN": f"arn:aws:kinesis:::stream/{names.CLICK_STREAM}",
            }
        ],
    }


def test_a_batch_has_records_of_one_shard_in_order_of_sequence_numbers(cloud, functions):
    for number in (100, 9, 20, 3):
        cloud.put(number)
        cloud.put(number, shard="shardId-000000000001")
        cloud.put(number, stream=names.TRUCK_STREAM)
    cloud.replay(limits=ReplayLimits(batch_records=3, shards_at_once=1))
    assert functions.calls == [
        *[(names.CLICK_FUNCTION, numbers) for _ in range(2) for numbers in (["3", "9", "20"], ["100"])],
        *[(names.TRUCK_FUNCTION, numbers) for numbers in (["3", "9", "20"], ["100"])],
    ]


def test_batches_stay_below_the_limit_of_an_invocation(cloud, functions):
    for number in range(1, 4):
        cloud.put(number, b"x" * 40)
    cloud.replay(limits=ReplayLimits(batch_bytes=80))
    assert [numbers for _, numbers in functions.calls] == [["1", "2"], ["3"]]


def test_reasons_streams_and_arrival_choose_the_records(cloud):
    cloud.put(1, reason="missing", arrival="2026-11-22T13:59:59.999999")
    cloud.put(2, reason="missing", arrival="2026-11-22T14:00:00.000000")
    cloud.put(3, reason="not_json", arrival="2026-11-22T14:30:00.000000")
    cloud.put(4, reason="missing", arrival="2026-11-22T15:29:59.999999")
    cloud.put(5, reason="missing", arrival="2026-11-22T15:30:00.000000")
    cloud.put(6, reason="missing", arrival="2026-11-23T00:00:00.000000")
    cloud.put(7, reason="missing", arrival="2026-11-22T14:30:00.000000", stream=names.TRUCK_STREAM)
    hours = {"since": datetime(2026, 11, 22, 14, tzinfo=UTC), "until": datetime(2026, 11, 22, 15, 30, tzinfo=UTC)}

    def chosen(**plan):
        selected: list[SelectedRecord] = []
        cloud.replay(dry_run=True, on_selected=selected.append, **plan)
        return [each.sequence_number for each in selected]

    assert chosen(**hours) == ["2", "3", "4", "7"]
    assert chosen(**hours, reasons=("missing",)) == ["2", "4", "7"]
    assert chosen(**hours, reasons=("missing",), streams=(names.CLICK_STREAM,)) == ["2", "4"]
    assert chosen(since=hours["until"]) == ["5", "6"]
    assert chosen(until=hours["since"]) == ["1"]


def test_a_limit_takes_the_earliest_and_says_that_there_are_more(cloud):
    for number in (1, 2, 3):
        cloud.put(number, arrival=f"2026-11-22T1{number}:00:00.000000")
    summary = cloud.replay(limit=2)
    assert (summary.total, summary.limited) == (2, True)
    assert [document["envelope"]["sequence_number"] for document in cloud.objects(QUARANTINE).values()] == ["3"]
    assert cloud.replay(limit=1).limited is False


def test_a_key_conflict_is_replayed_only_when_named(cloud):
    cloud.put(1, reason="key_conflict")
    assert cloud.replay().total == 0
    assert cloud.replay(reasons=("key_conflict",)).outcomes == {"resolved": 1}


def test_a_record_that_another_replay_finds_in_conflict_meanwhile_is_not_sent(cloud, functions):
    cloud.put(1)
    later = cloud.put(2)

    def judge(event):
        functions.before = lambda event: None
        cloud.put(2, reason="key_conflict")

    functions.before = judge
    assert cloud.replay(limits=ReplayLimits(batch_records=1)).outcomes == {"resolved": 1, "left_out": 1}
    assert [numbers for _, numbers in functions.calls] == [["1"]]
    assert list(cloud.objects(QUARANTINE)) == [later]


def test_a_record_that_makes_the_function_raise_is_found_by_halving_and_the_others_are_resolved(cloud, functions):
    for number in range(1, 9):
        cloud.put(number, b"raise" if number == 6 else b"valid")

    summary = cloud.replay()

    assert summary.outcomes == {"resolved": 7, "raised": 1}
    assert summary.failed
    (kept,) = cloud.objects(QUARANTINE).values()
    assert kept["envelope"]["sequence_number"] == "6"
    assert kept["reason"] == "not_processed"
    assert kept["history"][0]["detail"] == "KeyError: poison"
    assert summary.errors == ["ClickDataStream shardId-000000000000 6: raised: KeyError: poison"]
    assert ["".join(numbers) for _, numbers in functions.calls] == ["12345678", "1234", "5678", "56", "5", "6", "78"]
    functions.fixed = True
    assert cloud.replay().outcomes == {"resolved": 1}


def test_a_shard_whose_every_record_raises_is_given_up(cloud, functions):
    for number in range(1, 21):
        cloud.put(number, b"raise")
        cloud.put(number, shard="shardId-000000000001")
    summary = cloud.replay(limits=ReplayLimits(batch_records=4, raised_in_a_row=3))
    assert summary.outcomes == {"raised": 3, "not_tried": 17, "resolved": 20}
    assert len(cloud.objects(QUARANTINE)) == 20


def test_a_refused_batch_is_tried_again_with_growing_waits(cloud, functions, no_waiting):
    cloud.put(1)
    functions.refusals = 4
    assert cloud.replay().outcomes == {"resolved": 1}
    assert len(no_waiting) == 4
    assert all(0 <= wait <= 0.5 * 2**n for n, wait in enumerate(no_waiting))


def test_a_batch_refused_every_time_stays_with_its_history_and_its_shard_is_left(cloud, functions, no_waiting):
    for number in (1, 2, 3):
        cloud.put(number)
    functions.refusals = 5
    summary = cloud.replay(limits=ReplayLimits(batch_records=2))
    assert summary.outcomes == {"refused": 2, "not_tried": 1}
    assert summary.failed
    documents = cloud.objects(QUARANTINE).values()
    assert [attempts(document) for document in documents] == [[("a test", "refused")], [("a test", "refused")], []]


def test_throttling_that_does_not_end_is_a_refusal(cloud, functions, denied):
    cloud.put(1)

    def throttle(event):
        raise denied("TooManyRequestsException")

    functions.before = throttle
    assert cloud.replay().outcomes == {"refused": 1}


def test_a_function_that_does_not_report_what_it_quarantined_stops_the_run_and_nothing_moves(cloud, functions):
    cloud.put(1)
    before = cloud.objects("")
    functions.silent = True
    with pytest.raises(FunctionError, match="provision_resources"):
        cloud.replay()
    assert cloud.objects("") == before


def test_a_missing_function_is_named(cloud, functions, denied):
    cloud.put(1)

    def missing(event):
        raise denied("ResourceNotFoundException")

    functions.before = missing
    with pytest.raises(FunctionError, match="no function KinesisToDynamoDBProcessor"):
        cloud.replay()


def kill_before(monkeypatch, cloud, operation, prefix):
    """Kill the run before the next call of ``operation`` on a key with that prefix."""
    real = getattr(cloud.s3, operation)

    def call(**arguments):
        if arguments["Key"].startswith(prefix):
            raise Killed
        return real(**arguments)

    monkeypatch.setattr(cloud.s3, operation, call)


@pytest.mark.parametrize(
    ("operation", "prefix", "left"),
    [
        pytest.param("put_object", RESOLVED, (1, 0), id="between invocation and move"),
        pytest.param("delete_object", QUARANTINE, (1, 1), id="between the copy and the delete"),
    ],
)
def test_killed_in_a_move_and_run_again_nothing_is_lost_or_doubled(
    cloud, functions, monkeypatch, operation, prefix, left
):
    cloud.put(1)
    with monkeypatch.context() as patch:
        kill_before(patch, cloud, operation, prefix)
        with pytest.raises(Killed):
            cloud.replay(by="killed")
    assert (len(cloud.objects(QUARANTINE)), len(cloud.objects(RESOLVED))) == left

    assert cloud.replay(by="again").outcomes == {"resolved": 1}

    assert cloud.objects(QUARANTINE) == {}
    (resolved,) = cloud.objects(RESOLVED).values()
    assert attempts(resolved) == ([("killed", "resolved")] if left[1] else []) + [("again", "resolved")]
    assert functions.sinks[names.CLICK_FUNCTION] == {("shardId-000000000000", "1")}


def test_a_record_quarantined_again_after_it_was_resolved_keeps_both_histories(cloud):
    cloud.put(1)
    cloud.replay(by="first")
    cloud.put(1)
    cloud.replay(by="second")
    (resolved,) = cloud.objects(RESOLVED).values()
    assert attempts(resolved) == [("first", "resolved"), ("second", "resolved")]


def test_two_replays_at_once_resolve_each_record_once_and_lose_no_history(cloud, functions):
    key = cloud.put(1, b"invalid")
    meeting = threading.Barrier(2, timeout=60)
    functions.before = lambda event: meeting.wait()
    summaries = []
    threads = [
        threading.Thread(target=lambda by=by: summaries.append(cloud.replay(by=by))) for by in ("one", "another")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [summary.outcomes for summary in summaries] == [{"still_invalid": 1}] * 2
    assert {by for by, _ in attempts(cloud.objects(QUARANTINE)[key])} == {"one", "another"}


def test_a_record_that_another_replay_has_moved_is_gone(cloud, functions):
    key = cloud.put(1, b"invalid")
    functions.before = lambda event: cloud.s3.delete_object(Bucket=cloud.bucket, Key=key)
    assert cloud.replay().outcomes == {"gone": 1}
    assert cloud.objects("") == {}


def test_a_history_that_grew_between_answer_and_move_is_moved_whole(cloud):
    key = cloud.put(1)
    store = QuarantineStore(cloud.s3, cloud.bucket)
    held = store.read(key)
    store.amend(held, lambda record: record.tried(Attempt("2026-11-22T15:00:00.000000", "other", "raised")))
    store.resolve(held, Attempt("2026-11-22T16:00:00.000000", "this", "resolved"))
    assert cloud.objects(QUARANTINE) == {}
    (resolved,) = cloud.objects(RESOLVED).values()
    assert attempts(resolved) == [("other", "raised"), ("this", "resolved")]


def test_a_foreign_object_is_named_and_the_others_are_replayed(cloud):
    cloud.put(1)
    foreign = f"{QUARANTINE}{names.CLICK_STREAM}/2026/11/22/14/notes.txt"
    cloud.s3.put_object(Bucket=cloud.bucket, Key=foreign, Body=b"hello")
    summary = cloud.replay()
    assert (summary.outcomes, summary.unreadable, summary.failed) == ({"resolved": 1}, [foreign], True)


def test_abandoned_batches_are_taken_in_first_and_only_counted_by_a_dry_run(cloud, functions):
    keys = [f"{names.ON_FAILURE_PREFIX}uuid/shard/2026/11/22/{name}" for name in ("batch one", "foreign")]
    for key in keys:
        cloud.s3.put_object(Bucket=names.abandoned_bucket(cloud.bucket), Key=key, Body=b"{}")
    assert (cloud.replay(dry_run=True).abandoned, functions.events) == (2, [])

    functions.before = lambda event: cloud.put(1)  # Like the intake.
    summary = cloud.replay()

    assert summary.outcomes == {"resolved": 1}
    assert summary.not_taken_in == {keys[1]: "NotAnInvocationRecordError: no JSON"}
    assert summary.failed
    assert functions.events[0]["Records"][0]["s3"]["object"]["key"].endswith("/batch+one")


def test_the_report_of_a_replay(cloud, functions):
    cloud.put(1)
    cloud.put(2, b"invalid")
    text = replay_report(cloud.replay())
    assert "ClickDataStream: 2 in quarantine: not_processed 2" in text
    assert "Replayed: resolved 1, still_invalid 1" in text
    assert "Still invalid: missing 1" in text


def test_the_command_lists_and_changes_nothing_without_execute(cloud, functions, monkeypatch, capsys):
    cloud.put(1, reason="missing")
    monkeypatch.setattr(
        "include.replay.__main__.reprocessing_clients", lambda: ReprocessingClients(cloud.s3, functions)
    )
    bucket = ["--bucket", cloud.bucket]

    assert main([*bucket, "--list", "--reason", "missing", "--from", "2026-11-22T14:00"]) == 0
    printed = capsys.readouterr().out
    assert "shardId-000000000000 1  missing: a rule" in printed
    assert "Nothing was changed" in printed
    assert main([*bucket, "--to", "2026-11-22T14:00Z"]) == 0
    assert "No record in quarantine matches" in capsys.readouterr().out
    assert functions.events == []
    assert main([*bucket, "--stream", names.CLICK_STREAM, "--execute"]) == 0
    assert "Replayed: resolved 1" in capsys.readouterr().out
    assert len(cloud.objects(RESOLVED)) == 1


def test_the_command_reports_a_wrong_argument_in_one_line(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--from", "yesterday"])
    assert ended.value.code == 2
    assert "'yesterday' is not an ISO 8601" in capsys.readouterr().err


def test_the_same_record_gives_the_same_bytes(cloud):
    key = cloud.put(1)
    body = cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read()
    cloud.put(1)
    assert cloud.s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read() == body
    assert json.loads(body)["history"] == []
