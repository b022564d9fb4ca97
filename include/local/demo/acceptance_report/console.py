"""Prints the acceptance report for a person."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from include.local.demo.acceptance_report.report import AcceptanceReport


def print_report(report: AcceptanceReport, console: Console) -> None:
    """Print counts, data quality, latencies and guarantees, in this order."""
    counts = Table("", "clicks", "readings", title="Acceptance report", title_justify="left")
    for count in report.counts:
        counts.add_row(count.label, _number(count.clicks), _number(count.readings))
    console.print(counts)
    if report.quarantined_by_reason:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.quarantined_by_reason.items())
        console.print(f"Quarantined by reason: {reasons}")

    quality = Table("rule", "severity", "status", "rows", title="Data quality, last run", title_justify="left")
    for result in report.quality:
        quality.add_row(result.rule, result.severity, result.status, _number(result.failed_rows))
    console.print(quality)

    fresh = Table("from arrival in Kinesis to", "records", "p50", "p95", title="Freshness", title_justify="left")
    for latency in report.latencies:
        fresh.add_row(latency.name, _number(latency.count), _seconds(latency.p50), _seconds(latency.p95))
    console.print(fresh)

    console.print("Guarantees")
    for guarantee in report.guarantees:
        mark = "[green]holds [/green]" if guarantee.holds else "[red]BROKEN[/red]"
        console.print(f"  {mark} {guarantee.text}: {guarantee.found}")


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"
