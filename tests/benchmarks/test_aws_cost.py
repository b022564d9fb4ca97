"""What a million clicks and readings use of AWS, and cost there, beside the seed's design."""

from __future__ import annotations

import pytest

from tests.benchmarks import aws_cost
from tests.benchmarks.aws_usage import KINDS, MILLION, STREAMS
from tests.fixtures.benchmarks import Benchmarks

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(120)]

# Usage -> (name in the rows, unit, divisor).
COUNTED = {
    "calls": ("calls", "calls", 1),
    "bytes": ("mb_sent", "MB", 1e6),
    "write_units": ("write_units", "units", 1),
    "s3_puts": ("objects", "objects", 1),
}


@pytest.mark.parametrize("stream", STREAMS)
def test_a_million_records(benchmarks: Benchmarks, stream: str):
    seed = aws_cost.used(stream, aws_cost.SEED)
    for kind in KINDS[stream]:
        used, name = aws_cost.used(stream, kind), kind.replace(" ", "_")
        # Every record is one in the stream, whatever becomes of it.
        assert round(used.units["put_units"]) == MILLION
        for unit, (label, shown, divisor) in COUNTED.items():
            benchmarks.report(f"aws_{label}_per_million_{stream}_{name}", used.units[unit] / divisor, shown)
        benchmarks.report(f"aws_gb_seconds_per_million_{stream}_{name}", used.measured_gb_seconds, "GB-seconds")
        if kind != "valid":
            benchmarks.report(f"aws_dollars_per_million_{stream}_{name}", aws_cost.dollars(stream, kind), "dollars")
    assert seed.units["calls"] == MILLION
    benchmarks.report(
        f"aws_dollars_per_million_{stream}",
        aws_cost.dollars(stream, "valid"),
        "dollars",
        baseline=aws_cost.dollars(stream, aws_cost.SEED),
        must_be="<= 0.2" if stream == "readings" else "",
    )
