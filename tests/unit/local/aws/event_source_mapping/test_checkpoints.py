import json

import pytest

from include.local.aws import status_files
from include.local.aws.event_source_mapping.checkpoints import MappingCheckpoints, read_status
from include.local.aws.shard_reader import KinesisStream, Position

pytestmark = pytest.mark.unit

STREAM = KinesisStream("arn", created=1000.0, retention=86400.0)
SHARD = "shardId-000000000000"


def test_a_new_driver_continues_after_the_last_acknowledged_record(tmp_path, make_settings):
    first = MappingCheckpoints(tmp_path, make_settings(), STREAM)
    first.begin([SHARD], Position())
    first.acknowledge(SHARD, "123", waiting=0)
    second = MappingCheckpoints(tmp_path, make_settings(), STREAM)
    assert second.shards[SHARD].position == Position(after_sequence_number="123")


def test_where_a_shard_starts_is_remembered_before_anything_is_read(tmp_path, make_settings):
    MappingCheckpoints(tmp_path, make_settings(), STREAM).begin([SHARD], Position(at_timestamp=5.0))
    assert MappingCheckpoints(tmp_path, make_settings(), STREAM).shards[SHARD].position == Position(at_timestamp=5.0)


def test_a_kill_while_the_first_shards_begin_leaves_all_of_them_or_none(tmp_path, make_settings, monkeypatch):
    def killed(path: object, status: object) -> None:
        save(path, status)
        raise KeyboardInterrupt

    save = status_files.save
    checkpoints = MappingCheckpoints(tmp_path, make_settings(), STREAM)
    monkeypatch.setattr(status_files, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.begin([SHARD, "shardId-000000000001"], Position(at_timestamp=5.0))
    assert len(MappingCheckpoints(tmp_path, make_settings(), STREAM).shards) == 2


def test_a_later_stream_of_the_same_name_starts_afresh(tmp_path, make_settings):
    MappingCheckpoints(tmp_path, make_settings(), STREAM).begin([SHARD], Position(after_sequence_number="123"))
    later = KinesisStream("arn", created=2000.0, retention=86400.0)
    assert MappingCheckpoints(tmp_path, make_settings(), later).shards == {}


def test_another_mapping_of_the_same_stream_starts_afresh(tmp_path, make_settings):
    MappingCheckpoints(tmp_path, make_settings(), STREAM).begin([SHARD], Position(after_sequence_number="123"))
    assert MappingCheckpoints(tmp_path, make_settings(UUID="other"), STREAM).shards == {}


def test_an_unreadable_file_means_delivering_again_and_is_logged(tmp_path, make_settings, caplog):
    settings = make_settings()
    (tmp_path / f"{settings.uuid}.json").write_text('{"uuid": "cut o')
    assert MappingCheckpoints(tmp_path, settings, STREAM).shards == {}
    assert "unreadable checkpoints" in caplog.text


def test_a_failed_write_keeps_the_last_checkpoint(tmp_path, make_settings, monkeypatch):
    checkpoints = MappingCheckpoints(tmp_path, make_settings(), STREAM)
    checkpoints.begin([SHARD], Position(after_sequence_number="1"))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        checkpoints.acknowledge(SHARD, "2", waiting=0)
    (status,) = read_status(tmp_path)
    assert status.shards[SHARD].position == Position(after_sequence_number="1")


def test_caught_up_means_read_to_the_tip_since_and_nothing_waiting(tmp_path, make_settings):
    now = [100.0]
    checkpoints = MappingCheckpoints(tmp_path, make_settings(), STREAM, clock=lambda: now[0])

    def caught_up(since: float) -> bool:
        (status,) = read_status(tmp_path)
        return status.caught_up(since)

    checkpoints.begin([SHARD], Position())
    assert not caught_up(50.0)
    checkpoints.observe(SHARD, waiting=2, tip_read_at=60.0)
    assert not caught_up(50.0)
    checkpoints.acknowledge(SHARD, "123", waiting=0)
    assert caught_up(50.0)
    assert not caught_up(60.0)
    now[0] += 1
    checkpoints.observe(SHARD, waiting=0, tip_read_at=None)
    assert not caught_up(60.0)
    checkpoints.finish(SHARD)
    assert caught_up(1000.0)


def test_idle_reads_are_not_all_written(tmp_path, make_settings):
    now = [100.0]
    checkpoints = MappingCheckpoints(tmp_path, make_settings(), STREAM, clock=lambda: now[0])
    checkpoints.begin([SHARD], Position())
    path = tmp_path / f"{make_settings().uuid}.json"
    before = path.read_bytes()
    now[0] += 0.1
    checkpoints.observe(SHARD, waiting=0, tip_read_at=100.1)
    assert path.read_bytes() == before
    now[0] += 1
    checkpoints.observe(SHARD, waiting=0, tip_read_at=101.1)
    assert json.loads(path.read_bytes())["shards"][SHARD]["tip_read_at"] == 101.1


def test_deleted_mappings_are_forgotten(tmp_path, make_settings):
    for uuid in ("kept", "deleted"):
        MappingCheckpoints(tmp_path, make_settings(UUID=uuid), STREAM).begin([SHARD], Position())
    status_files.forget_others(tmp_path, ["kept"])
    assert [status.uuid for status in read_status(tmp_path)] == ["kept"]


def test_no_driver_yet_is_no_status(tmp_path):
    assert read_status(tmp_path / "missing") == []
