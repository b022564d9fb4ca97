"""The conservation ledger: whether every record of a stream and arrival hour is where it belongs, counted and named.

    balances = reconcile(store_clients(), connection, bucket, hours_between(since, until))

The DAG ``reconcile`` keeps what it finds in CONSERVATION_LEDGER; nothing here needs Airflow.  What is counted and how
is in docs/adr/0030.
"""

from include.ledger.balance import Balance
from include.ledger.reconciliation import hours_between, reconcile

__all__ = ["Balance", "hours_between", "reconcile"]
