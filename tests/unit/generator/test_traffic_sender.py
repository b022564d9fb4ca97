import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from include.contracts.times import parse
from include.generator import ProducerError, StateError, TrafficPlan, generate, read_manifest
from include.generator.state_file import kept_state

pytestmark = pytest.mark.unit

MIXED = {"duplicated": 0.05, "late": 0.05, "out_of_order": 0.05, "malformed": 0.05, "nested": 0.2}


class _Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 14, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def _plan(tmp_path, **fields) -> TrafficPlan:
    fields = {"clicks": 300, "readings": 300, **MIXED, **fields}
    return TrafficPlan(manifest=tmp_path / "manifest.jsonl", state=tmp_path / "state", **fields)


def _generate(plan, client, clock, on_progress=None):
    return generate(plan, client, on_progress, clock=clock, sleep=clock.sleep)


def test_the_manifest_is_exactly_what_the_streams_hold(kinesis, stored, clock, tmp_path):
    plan = _plan(tmp_path)
    _generate(plan, kinesis, clock)
    for stream in (plan.click_stream, plan.truck_stream):
        lines = {(r.shard_id, r.sequence_number): r.payload for r in read_manifest(plan.manifest) if r.stream == stream}
        assert lines == stored(stream)
        assert len(lines) == 300


def test_the_manifest_has_each_event_of_an_aggregated_record(kinesis, stored, clock, tmp_path):
    plan = _plan(tmp_path, field=0.8, duplicated=0.0)
    _generate(plan, kinesis, clock)
    for stream in (plan.click_stream, plan.truck_stream):
        lines = [record for record in read_manifest(plan.manifest) if record.stream == stream]
        numbers = {(r.shard_id, r.sequence_number, r.sub_sequence_number) for r in lines}
        assert len(numbers) == len(lines) > 300
        assert {(r.shard_id, r.sequence_number) for r in lines} == set(stored(stream))
        assert {r.field_case for r in lines if r.sub_sequence_number} == {"aggregate", "aggregate_with_one_bad_event"}
        assert [r.expected_reason for r in lines if r.sub_sequence_number == 1 and r.expected_reason] != []


def test_the_summary_counts_what_the_manifest_says(kinesis, clock, tmp_path):
    plan = _plan(tmp_path)
    summary = _generate(plan, kinesis, clock)
    for stream, counted in summary.streams.items():
        records = [record for record in read_manifest(plan.manifest) if record.stream == stream]
        kinds = Counter(record.kind for record in records)
        assert (counted.valid, counted.duplicate) == (kinds["valid"], kinds["duplicate"]) == (270, 15)
        assert counted.malformed == Counter(r.malformed_kind for r in records if r.malformed_kind)
        assert counted.late == sum(record.late for record in records) > 0
        assert counted.out_of_order == sum(record.out_of_order for record in records) > 0
        assert counted.nested == sum(record.shape == "nested" for record in records)
        assert counted.sent == len(records) == 300
    assert summary.sent == summary.planned == 600
    assert msgspec.json.encode(summary)


def test_sending_takes_as_long_as_the_rate_says(kinesis, clock, tmp_path):
    plan = _plan(tmp_path, clicks=200, readings=100, clicks_per_second=20, readings_per_second=50)
    summary = _generate(plan, kinesis, clock)
    assert summary.seconds == pytest.approx(199 / 20, abs=0.2)
    assert summary.started_at == "2026-11-22T14:00:00.000000"
    assert parse(summary.finished_at) == clock.now
    # Each record leaves when it is due, at most a tick later.
    sent = Counter(record.sent_at[:19] for record in read_manifest(plan.manifest) if record.stream == plan.click_stream)
    assert all(count <= 23 for count in sent.values())


def test_on_time_events_happen_when_they_are_sent(kinesis, clock, tmp_path):
    plan = _plan(tmp_path)
    _generate(plan, kinesis, clock)
    for record in read_manifest(plan.manifest):
        if record.kind == "valid" and not record.late and not record.out_of_order:
            time = record.key[0] if record.stream == plan.click_stream else record.key[1]
            assert timedelta(0) <= parse(record.sent_at) - parse(time) <= timedelta(seconds=0.2)


def test_progress_is_told_every_second_and_at_the_end(kinesis, clock, tmp_path):
    told = []
    plan = _plan(tmp_path, clicks=50, readings=50)
    _generate(plan, kinesis, clock, lambda summary: told.append((summary.sent, summary.finished_at is not None)))
    assert 4 <= len(told) <= 6
    assert [sent for sent, _ in told] == sorted(sent for sent, _ in told)
    assert told[-1] == (100, True)
    assert not any(finished for _, finished in told[:-1])


def test_a_second_run_repeats_no_key_and_drives_the_trucks_on(kinesis, clock, tmp_path):
    plan = _plan(tmp_path)
    for _ in range(2):
        _generate(plan, kinesis, clock)
    keys = [(r.stream, r.key) for r in read_manifest(plan.manifest) if r.kind == "valid"]
    assert len(keys) == len(set(keys)) == 4 * 270


def test_without_manifest_and_state_nothing_is_written(kinesis, clock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert _generate(TrafficPlan(clicks=10, readings=10), kinesis, clock).sent == 20
    assert list(tmp_path.iterdir()) == []


def test_when_kinesis_refuses_to_the_end_manifest_and_state_tell_what_was_accepted(unreliable, stored, clock, tmp_path):
    plan = _plan(tmp_path, clicks=100, readings=0)
    client = unreliable([None, None, None, *[lambda _position: True] * 8])
    with pytest.raises(ProducerError, match="not accepted by stream ClickDataStream"):
        _generate(plan, client, clock)
    lines = {(record.shard_id, record.sequence_number) for record in read_manifest(plan.manifest)}
    assert lines == set(stored(plan.click_stream))
    assert 0 < len(lines) < 100
    with kept_state(plan.state) as (state, _save):
        assert state.last_click > 0


def test_an_interrupt_keeps_state_and_manifest(kinesis, stored, clock, tmp_path):
    plan = _plan(tmp_path)

    def interrupt(_summary) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _generate(plan, kinesis, clock, interrupt)
    records = list(read_manifest(plan.manifest))
    assert len(records) == len(stored(plan.click_stream)) + len(stored(plan.truck_stream)) > 0
    with kept_state(plan.state) as (state, _save):
        assert set(state.trucks) == {"TRK001", "TRK002", "TRK003"}


def test_two_runs_at_once_on_one_state_are_refused(kinesis, clock, tmp_path):
    plan = _plan(tmp_path)
    with kept_state(plan.state), pytest.raises(StateError, match="another generator is using the state"):
        _generate(plan, kinesis, clock)
    assert _generate(plan, kinesis, clock).sent == 600


@pytest.mark.parametrize("content", [b"", b"\xc1", b'{"trucks":1}'], ids=["empty", "no_msgpack", "json"])
def test_a_file_that_is_no_state_is_an_error_that_says_what_to_do(tmp_path, content):
    (tmp_path / "state").write_bytes(content)
    with (
        pytest.raises(StateError, match=r"state is not a generator's state .*: delete it"),
        kept_state(tmp_path / "state"),
    ):
        pass


def _command(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "include.generator", *arguments],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path)), **environment},
    )


def test_command_without_a_region_says_so_in_one_line():
    done = _command("--clicks", "1")
    assert done.returncode == 1
    assert done.stderr == "error: You must specify a region.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to send"),
        (("--clicks", "1", "--late", "2"), "late must be a share from 0 to 1, not 2.0"),
        (("--clicks", "many"), "argument --clicks: invalid int value"),
    ],
)
def test_command_with_unusable_arguments_says_which(arguments, message):
    done = _command(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_command_help_names_every_option():
    done = _command("--help")
    assert done.returncode == 0
    for field in msgspec.structs.fields(TrafficPlan):
        assert f"--{field.name.replace('_', '-')}" in done.stdout
