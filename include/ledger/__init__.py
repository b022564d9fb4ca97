"""The conservation ledger: count, per stream and arrival hour, whether every record is where it belongs.

    balances = reconcile(store_clients(), connection, bucket, hours_between(since, until))

The DAG ``reconcile`` stores the balances in CONSERVATION_LEDGER; nothing here needs Airflow.

The logic reads no store: balance, click_balance, reading_balance and due_hours, over the sets that hour_database keeps.
The stores are read by click_rows, raw_readings, landing_zone, held_records and ledger_table; reconciliation wires both.
"""

from include.ledger.balance import Balance
from include.ledger.reconciliation import hours_between, reconcile

__all__ = ["Balance", "hours_between", "reconcile"]
