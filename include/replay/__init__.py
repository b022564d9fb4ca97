"""Replay: send quarantined records through their function again, after a fix.  What succeeds leaves quarantine.

    python -m include.replay --help

The DAG ``replay`` and the command line do the same with it; neither Airflow nor Lambda code is needed here.
docs/adr/0008 explains the guarantees of a run.
"""

from include.replay.plan import ReplayLimits, ReplayPlan
from include.replay.replayer import replay
from include.replay.results import ReplaySummary, replay_report

__all__ = ["ReplayLimits", "ReplayPlan", "ReplaySummary", "replay", "replay_report"]
