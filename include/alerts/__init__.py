"""What people must know: alerts that are stored as not yet sent, until every channel has them.

    alert.py          an alert, and the text that people get
    impact.py         how bad it is when a DAG fails, and for whom
    run_outages.py    failed runs of a DAG become one outage: one alert when it starts, one when it ends
    findings.py       the outbox in Snowflake (table ALERTS) of what checks find
    delivery.py       sends what an outbox holds, and records it

Each alert is stored with the fact that it reports, in the same store and the same transaction (ADR 60): a finding with
the results of its check in Snowflake, a failed run with the run's state in Airflow's metadata database.  Nothing here
needs Airflow.  The DAG ``send_alerts`` sends both.
"""

from include.alerts.alert import Alert, Links, Severity, State, compose

__all__ = ["Alert", "Links", "Severity", "State", "compose"]
