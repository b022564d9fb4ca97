"""The acceptance report: what the generator's manifest says was sent, against what every store holds.

The manifest is the only source of what should be there.  ``take_snapshot`` reads the manifest and every store whole;
``judge`` compares them by content, never by a count alone, without reading anything else.
"""

from include.local.demo.acceptance_report.console import print_report
from include.local.demo.acceptance_report.guarantees import Guarantee
from include.local.demo.acceptance_report.report import AcceptanceReport, judge
from include.local.demo.acceptance_report.snapshot import Latency
from include.local.demo.acceptance_report.stores import take_snapshot

__all__ = ["AcceptanceReport", "Guarantee", "Latency", "judge", "print_report", "take_snapshot"]
