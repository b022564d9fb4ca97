"""What the report counts, and how it is printed."""

from __future__ import annotations

import io
from dataclasses import replace

import msgspec
import pytest
from rich.console import Console

from include.local.demo.acceptance_report import AcceptanceReport, judge, print_report
from include.local.demo.acceptance_report.snapshot import QualityResult
from include.local.demo.acceptance_report.stores import _percentiles, _sampled_latencies

pytestmark = pytest.mark.unit


def printed(report: AcceptanceReport) -> str:
    output = io.StringIO()
    print_report(report, Console(file=output, width=160))
    return output.getvalue()


def test_counts_are_those_of_the_snapshot(snapshot):
    counts = {count.label.strip(): (count.clicks, count.readings) for count in judge(snapshot).counts}

    assert counts["sent (accepted by Kinesis)"] == (4, 5)
    assert counts["of these valid, first time"] == (2, 3)
    assert counts["of these sent again"] == (1, 1)
    assert counts["of these malformed"] == (1, 1)
    assert counts["from the field"] == (1, 1)
    assert counts["nested shape"] == (None, 1)
    assert counts["late or out of order"] == (1, 0)
    assert counts["Snowflake TRUCK_TELEMETRY_RAW (rows)"] == (None, 5)
    assert counts["Snowflake TRUCK_TELEMETRY_RAW (envelopes)"] == (None, 4)
    assert counts["of these current"] == (None, 2)
    assert judge(snapshot).quarantined_by_reason == {"not_json": 2}


def test_the_printed_report_shows_every_part(snapshot):
    output = printed(judge(snapshot))

    assert output.startswith("Acceptance report")
    for part in (
        "Quarantined by reason: not_json 2",
        "Data quality, last run",
        "Freshness",
        "0.50 s",
        "\nGuarantees\n",
    ):
        assert part in output
    assert output.count("  holds  ") == 20
    assert "BROKEN" not in output


def test_a_broken_guarantee_is_marked(snapshot):
    report = judge(replace(snapshot, quality=[]))

    assert not report.holds
    assert printed(report).count("  BROKEN ") == 2


def test_a_report_survives_json_also_with_a_rule_that_could_not_run(snapshot):
    report = judge(replace(snapshot, quality=[*snapshot.quality, QualityResult("broken", "warn", "error", None)]))

    assert msgspec.json.decode(msgspec.json.encode(report), type=AcceptanceReport) == report


def test_percentiles_are_of_the_nearest_rank():
    assert (_percentiles("x", [4.0, 1.0, 3.0, 2.0]).p50, _percentiles("x", [1.0]).p95) == (3.0, 1.0)
    assert _percentiles("x", []).p50 is None


def test_a_latency_that_nobody_sampled_is_not_reported_as_one_of_no_records():
    assert _sampled_latencies(None, None) == []
    assert [(latency.count, latency.p50) for latency in _sampled_latencies([0.5], [])] == [(1, 0.5), (0, None)]
