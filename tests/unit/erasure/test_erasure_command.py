"""``python -m include.erasure``."""

import sys

import pytest

from include import names
from include.aws_clients import StoreClients
from include.erasure.__main__ import main
from tests.fixtures.erasure_stores import CLICK, OURS

pytestmark = pytest.mark.unit


@pytest.fixture
def command(cloud, monkeypatch):
    monkeypatch.setenv("CTD_TELEMETRY_BUCKET", cloud.bucket)
    clients = StoreClients(cloud.s3, cloud.dynamodb)
    monkeypatch.setattr(sys.modules["include.erasure.__main__"], "store_clients", lambda: clients)
    return main


def test_the_command_only_counts_without_execute(cloud, command, capsys):
    key = cloud.land("both", "TRK001", "TRK002")
    assert command(["--truck", "TRK001"]) == 0
    out = capsys.readouterr().out
    assert "telemetry-data/: 1 records of TRK001" in out
    assert "Nothing was changed" in out
    assert len(cloud.lines(key)) == 2
    assert command(["--truck", "TRK001", "--dry-run"]) == 0
    assert len(cloud.lines(key)) == 2
    assert command(["--truck", "TRK001", "--execute", "TRK001"]) == 0
    assert "Pass 2 found nothing" in capsys.readouterr().out
    assert len(cloud.lines(key)) == 1


def test_the_command_wants_the_id_twice(cloud, command, capsys):
    cloud.land("ours", "TRK001")
    with pytest.raises(SystemExit) as stopped:
        command(["--truck", "TRK001", "--execute", "TRK002"])
    assert stopped.value.code == 2
    assert "not confirmed" in capsys.readouterr().err
    assert len(cloud.keys()) == 1


def test_the_command_looks_through_the_whole_click_archive_if_told_to(cloud, command, capsys):
    cloud.archive("stray", CLICK, OURS, stream=names.CLICK_STREAM)
    assert command(["--truck", "TRK001"]) == 0
    assert "raw-archive/ClickDataStream/: 0 records of TRK001" in capsys.readouterr().out
    assert command(["--truck", "TRK001", "--whole-click-archive"]) == 0
    assert "raw-archive/ClickDataStream/: 1 records of TRK001" in capsys.readouterr().out


def test_the_exit_code_says_that_something_is_left(cloud, command):
    cloud.put(f"{names.LANDING_PREFIX}damaged", b"\x1f\x8bdamaged")
    assert command(["--truck", "TRK001", "--execute", "TRK001"]) == 1


def test_a_missing_bucket_is_an_error(cloud, command, capsys):
    assert command(["--truck", "TRK001", "--bucket", "another-bucket"]) == 1
    assert "NoSuchBucket" in capsys.readouterr().err
