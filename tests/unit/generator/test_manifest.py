import base64
import json
from pathlib import Path

import pytest

from include.generator.manifest import ManifestError, ManifestRecord, ManifestWriter, read_manifest, read_unanswered

pytestmark = pytest.mark.unit

RECORD = ManifestRecord(
    stream="TruckTelemetry",
    kind="valid",
    malformed_kind=None,
    shape="nested",
    late=True,
    out_of_order=False,
    key=("TRK001", "2025-03-17T15:35:54.597252"),
    payload=b'{"truck_id": "\xff"}',
    shard_id="shardId-000000000000",
    sequence_number="495903382714902566085596925383615710959215759891365888",
    sent_at="2025-03-17T15:35:55.000000",
    field_case="seven_decimals_of_dotnet",
)


def _write(path, *batches):
    writer = ManifestWriter(path)
    for batch in batches:
        writer.append(batch)
    writer.close()


def test_a_line_is_a_record_with_its_bytes_in_base64(tmp_path):
    path = tmp_path / "new" / "manifest.jsonl"
    _write(path, [RECORD])
    line = json.loads(path.read_text())
    assert base64.b64decode(line.pop("payload_base64")) == RECORD.payload
    assert line == {
        "stream": "TruckTelemetry",
        "kind": "valid",
        "malformed_kind": None,
        "shape": "nested",
        "late": True,
        "out_of_order": False,
        "key": ["TRK001", "2025-03-17T15:35:54.597252"],
        "shard_id": "shardId-000000000000",
        "sequence_number": "495903382714902566085596925383615710959215759891365888",
        "sent_at": "2025-03-17T15:35:55.000000",
        "field_case": "seven_decimals_of_dotnet",
        "expected_reason": None,
        "sub_sequence_number": 0,
        "warned_by": [],
    }


def test_what_was_written_is_read_and_later_runs_append(tmp_path):
    path = tmp_path / "manifest.jsonl"
    _write(path, [RECORD, RECORD], [RECORD])
    _write(path, [RECORD])
    assert list(read_manifest(path)) == [RECORD] * 4


def test_each_batch_is_on_disk_before_the_next_is_sent(tmp_path):
    path = tmp_path / "manifest.jsonl"
    writer = ManifestWriter(path)
    writer.append([RECORD])
    assert list(read_manifest(path)) == [RECORD]
    writer.append([RECORD])
    assert list(read_manifest(path)) == [RECORD, RECORD]
    writer.close()


def test_a_call_whose_answer_was_lost_is_kept_beside_the_manifest(tmp_path):
    path = tmp_path / "manifest.jsonl"
    writer = ManifestWriter(path)
    for _ in range(2):  # Sent, and sent again.
        writer.sending([RECORD])
    assert read_unanswered(path) == [RECORD, RECORD]
    writer.append([RECORD])
    writer.sending([RECORD])
    writer.append([RECORD])
    writer.close()
    assert read_unanswered(path) == [RECORD]
    assert list(read_manifest(path)) == [RECORD, RECORD]


def test_the_call_of_a_writer_that_was_killed_is_kept_by_the_next_one(tmp_path):
    path = tmp_path / "manifest.jsonl"
    ManifestWriter(path).sending([RECORD])
    assert read_unanswered(path) == [RECORD]
    writer = ManifestWriter(path)
    writer.sending([])
    writer.close()
    assert read_unanswered(path) == [RECORD]


@pytest.mark.parametrize("broken", [b"{", b"[]", b"\xff", b""], ids=["cut", "no_record", "bad_utf8", "blank"])
def test_a_broken_line_is_an_error_that_names_file_and_line(tmp_path, broken):
    path = tmp_path / "manifest.jsonl"
    _write(path, [RECORD])
    with path.open("ab") as file:
        file.write(broken + b"\n")
    with pytest.raises(ManifestError, match=r"manifest\.jsonl:2: "):
        list(read_manifest(path))


def test_a_full_disk_is_an_error():
    writer = ManifestWriter(Path("/dev/full"))
    with pytest.raises(OSError, match="No space left"):
        writer.append([RECORD])
    writer.close()
