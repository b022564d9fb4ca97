"""Replay: quarantined records go through their function again, after a fix, and leave quarantine when they succeed.

    python -m include.replay --help

The DAG ``replay`` and the command line do the same with it; neither Airflow nor Lambda code is needed here.
What a run promises, and how, is in docs/adr/0010.
"""

from include.replay.clients import make_clients
from include.replay.invoker import ReplayError
from include.replay.run import Limits, Plan, Summary, run

__all__ = ["Limits", "Plan", "ReplayError", "Summary", "make_clients", "run"]
