"""Erasure: everything that the AWS stores hold of one truck goes, and nothing of any other.

    python -m include.erasure --help

The DAG ``erase_truck`` does this and then the same in Snowflake.  docs/erasure.md says what is erased, when, what stays
for how long, and which rights it needs; docs/adr/0011 why it is done in this order and this way.
"""

from include.erasure.clients import Clients, make_clients
from include.erasure.report import lines
from include.erasure.run import Erased, Summary, check_truck_id, run

__all__ = ["Clients", "Erased", "Summary", "check_truck_id", "lines", "make_clients", "run"]
