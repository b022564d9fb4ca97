"""Prints the table of truth for a person."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from include.local.demo.acceptance_report import Truth


def show(truth: Truth, console: Console) -> None:
    """Counts, quality, latencies and promises, in this order."""
    counts = Table("", "clicks", "readings", title="Table of truth", title_justify="left")
    for label, clicks, readings in truth.counts:
        counts.add_row(label, _number(clicks), _number(readings))
    console.print(counts)
    if truth.quarantined_by_reason:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in truth.quarantined_by_reason.items())
        console.print(f"Quarantined by reason: {reasons}")

    quality = Table("rule", "severity", "status", "rows", title="Data quality, last run", title_justify="left")
    for rule, severity, status, failed in truth.quality:
        quality.add_row(rule, severity, status, _number(failed))
    console.print(quality)

    fresh = Table("from arrival in Kinesis to", "records", "p50", "p95", title="Freshness", title_justify="left")
    for latency in truth.latencies:
        fresh.add_row(latency.name, _number(latency.count), _seconds(latency.p50), _seconds(latency.p95))
    console.print(fresh)

    console.print("Promises")
    for promise in truth.promises:
        mark = "[green]holds [/green]" if promise.holds else "[red]BROKEN[/red]"
        console.print(f"  {mark} {promise.text}: {promise.found}")


def _number(count: int | None) -> str:
    return "" if count is None else f"{count:,}"


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f} s"
