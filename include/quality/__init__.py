"""Data quality: rules that are files, the items they may read, and the incidents that failing rules become.

    rules.py         the files of ``sql/quality``
    staged_items.py  the DynamoDB items that a rule can read, as rows for a temporary table
    item_staging.py  stages them, which are read in another thread
    checks.py        runs rules over one Snowflake session
    findings.py      checks the rules over consecutive readings, all in one statement, and keeps what they find
    rule_results.py  DATA_QUALITY_RESULTS: one row per rule and run
    incidents.py     since when a rule fails, and whether people were notified
    rule_alerts.py   the alerts about rules that fail, and pass again
    due.py           when to check: not while nothing happens
    evaluation.py    one run: check every rule, store every result and alert

Nothing here needs Airflow.  ``CheckQualityOperator`` connects and calls :func:`evaluate`.  The DAG send_alerts sends
the alerts.
"""

from include.quality.due import Decision, LastCheck, after_check, decide
from include.quality.evaluation import evaluate
from include.quality.rule_results import RuleResult
from include.quality.rules import RUNBOOK, WHOLE, Rule, RuleError, parse, read, rules, switched_on
from include.quality.staged_items import SOURCES, ItemReader, ItemsError, ItemSource

__all__ = [
    "RUNBOOK",
    "SOURCES",
    "WHOLE",
    "Decision",
    "ItemReader",
    "ItemSource",
    "ItemsError",
    "LastCheck",
    "Rule",
    "RuleError",
    "RuleResult",
    "after_check",
    "decide",
    "evaluate",
    "parse",
    "read",
    "rules",
    "switched_on",
]
