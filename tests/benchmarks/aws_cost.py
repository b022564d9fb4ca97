"""Prices what a million records use of AWS, beside the seed's design.

    python -m tests.benchmarks.aws_cost

The tables are those of docs/cost.md (tests/unit/test_cost.py compares).  aws_usage counts, aws_prices has the prices.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

from tests.benchmarks import aws_prices
from tests.benchmarks.aws_usage import KINDS, MILLION, STREAMS, Usage, seeds_usage, usage

SLOW, FULL = 10, 1000
SEED = "the seed's design"
SECONDS_A_MONTH = aws_prices.HOURS_A_MONTH * 3600
# What a reader of the breakdown knows as one thing.
PARTS = {
    "Kinesis": ("shard_hours", "put_units"),
    "Lambda": ("lambda_requests", "gb_seconds"),
    "DynamoDB": ("write_units", "read_units"),
    "S3 requests": ("s3_puts", "s3_gets"),
    "Firehose": ("firehose_gb",),
    "API Gateway": ("api_requests",),
    "logs": ("log_gb",),
}


@cache
def used(stream: str, kind: str, rate: int = FULL) -> Usage:
    """What a million records use, of a kind of traffic or in the seed's design."""
    return seeds_usage(stream, rate) if kind == SEED else usage(stream, kind, rate)


def dollars(stream: str, kind: str, rate: int = FULL) -> float:
    return aws_prices.dollars(used(stream, kind, rate).units)


def usage_table(stream: str) -> str:
    """What a million records use by kind of traffic, on full shards."""
    header = f"| per million {stream} | calls | MB sent | write units | objects | Lambda requests | GB-seconds |"
    rows = []
    for kind in (*KINDS[stream], SEED):
        units = used(stream, kind).units
        counts = [units["calls"], units["bytes"] / 1e6, units["write_units"], units["s3_puts"]]
        counts += [units["lambda_requests"], units["gb_seconds"]]
        rows.append(f"| {kind} | " + " | ".join(_rounded(each) for each in counts) + " |")
    return "\n".join([header, "|---|" + "---:|" * 6, *rows])


def price_table() -> str:
    """Dollars per million records by kind of traffic, by what they are for, and on a shard that is nearly idle."""
    header = f"| dollars per million | {' | '.join(PARTS)} | **{FULL:,}/s** | {SLOW}/s |"
    rows = []
    for stream in STREAMS:
        for kind in (*KINDS[stream], SEED):
            units = used(stream, kind).units
            parts = [_of(units, names) for names in PARTS.values()]
            total, slow = dollars(stream, kind), dollars(stream, kind, SLOW)
            cells = [f"{each:.2f}" for each in (*parts, total, slow)]
            cells[-2] = f"**{cells[-2]}**"
            rows.append(f"| {stream}, {kind} | " + " | ".join(cells) + " |")
    return "\n".join([header, "|---|" + "---:|" * (len(PARTS) + 2), *rows])


def month_table() -> str:
    """A month of both streams at some rates, valid traffic."""
    rows = ["| records/s in each stream | shards | dollars a month | the seed's design |", "|---:|---:|---:|---:|"]
    for rate in (10, 1000, 10_000, 100_000):
        shards = 2 * -(-rate // FULL)
        millions = rate * SECONDS_A_MONTH / MILLION
        per_shard = min(rate, FULL)
        ours, seeds = (
            sum(millions * dollars(stream, kind, per_shard) for stream in STREAMS) for kind in ("valid", SEED)
        )
        rows.append(f"| {rate:,} | {shards} | {_rounded(ours + standing())} | {_rounded(seeds)} |")
    return "\n".join(rows)


def standing() -> float:
    """Dollars a month for what the stack has without traffic, but for its shards."""
    return aws_prices.monthly(aws_prices.fixed())


def storage() -> tuple[float, float]:
    """Dollars a month for a million stored clicks, and after how many months that is more than writing them cost."""
    units = used("clicks", "valid").units
    rows = Counter({name: units[name] for name in ("row_gb", "backup_gb")})
    a_month = aws_prices.monthly(rows)
    return a_month, _of(units, PARTS["DynamoDB"]) / a_month


def _of(units: Counter[str], names: tuple[str, ...]) -> float:
    return aws_prices.dollars(Counter({name: units[name] for name in names}))


def _rounded(number: float) -> str:
    """Three digits are enough to compare."""
    return f"{float(f'{number:.3g}'):,.0f}"


def main() -> None:
    a_month, months = storage()
    for part in (
        *(usage_table(stream) for stream in STREAMS),
        price_table(),
        month_table(),
        aws_prices.table(),
        f"standing: {standing():.2f}; stored clicks: {a_month:.2f} a month and million, {months:.1f} months",
    ):
        print(part, end="\n\n")


if __name__ == "__main__":
    main()
