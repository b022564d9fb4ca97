"""Rebuild: clicks, landing zone, truck states and quarantine from the raw archive alone.

    python -m include.rebuild --help

The functions are invoked with events made of archived records, envelopes and all, so they write what they once wrote.
docs/rebuild.md says when and how; the history is then built from RAW by the DAG repair_history.
"""

from include.rebuild.run import Plan, Progress, RebuildError, Summary, run

__all__ = ["Plan", "Progress", "RebuildError", "Summary", "run"]
