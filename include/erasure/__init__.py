"""Erasure: remove everything that the AWS stores hold about one truck, and nothing about any other.

    python -m include.erasure --help

The DAG ``erase_truck`` does this and then the same in Snowflake.  docs/erasure.md says what is erased and when, what
stays for how long, and which permissions it needs; docs/adr/0011 explains the order and the connections.
"""

from include.erasure.eraser import check_truck_id, erase
from include.erasure.summary import ErasedRecords, ErasureSummary, erasure_report

__all__ = ["ErasedRecords", "ErasureSummary", "check_truck_id", "erase", "erasure_report"]
