"""Data quality: rules that are files, what they may read, and what becomes of a rule that fails.

    rules.py      the files of ``sql/quality``
    stores.py     what of DynamoDB a rule can read, staged beside the warehouse's tables
    incidents.py  since when a rule fails, and who was told

Nothing here needs Airflow; ``CheckQualityOperator`` puts it together.
"""

from include.quality.incidents import Result, closings, continued, due
from include.quality.rules import FOLDER, RUNBOOK, WHOLE, Rule, RuleError, parse, read, rules
from include.quality.stores import SOURCES, Source, Stores, StoresError

__all__ = [
    "FOLDER",
    "RUNBOOK",
    "SOURCES",
    "WHOLE",
    "Result",
    "Rule",
    "RuleError",
    "Source",
    "Stores",
    "StoresError",
    "closings",
    "continued",
    "due",
    "parse",
    "read",
    "rules",
]
