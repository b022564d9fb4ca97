"""Rebuild: recreate clicks, landing zone, truck states and quarantine from the raw archive alone.

    python -m include.rebuild --help

The functions are invoked with events made of archived records, envelopes included, so they write what they wrote the
first time.  docs/rebuild.md says when and how; the DAG repair_history then builds the history from RAW.
"""

from include.rebuild.rebuild_progress import RebuildError, RebuildProgress
from include.rebuild.rebuilder import RebuildPlan, RebuildSummary, rebuild

__all__ = ["RebuildError", "RebuildPlan", "RebuildProgress", "RebuildSummary", "rebuild"]
