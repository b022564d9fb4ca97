"""Arguments that several command lines share."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import pytest

from include.arguments import add_arrival_range, add_bucket, positive_integer

pytestmark = pytest.mark.unit


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    add_bucket(parser)
    add_arrival_range(parser)
    parser.add_argument("--number", type=positive_integer)
    return parser


def test_the_bucket_is_the_settings_unless_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CTD_TELEMETRY_BUCKET", raising=False)
    assert parser().parse_args([]).bucket == "kinesis-telemetry-data-bucket"
    monkeypatch.setenv("CTD_TELEMETRY_BUCKET", "another")
    assert parser().parse_args([]).bucket == "another"
    assert parser().parse_args(["--bucket", "given"]).bucket == "given"


def test_times_are_utc_unless_they_say_otherwise() -> None:
    given = parser().parse_args(["--from", "2026-11-22T14:00", "--to", "2026-11-22T16:00+01:00"])
    assert given.since == datetime(2026, 11, 22, 14, tzinfo=UTC)
    assert given.until == datetime(2026, 11, 22, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "yesterday"], "'yesterday' is not an ISO 8601"),
        (["--number", "0"], "'0' is not a whole number above 0"),
        (["--number", "1.5"], "'1.5' is not a whole number above 0"),
    ],
)
def test_an_unusable_argument_is_named(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(arguments)
    assert message in capsys.readouterr().err
