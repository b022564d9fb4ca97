"""How people are notified.

failure_note.py  what a failing task leaves for the alert about its run
run_notes.py     the listener that stores an alert with the state of a run that ends
run_outbox.py    the outbox of failed runs, in Airflow's metadata database
channels.py      SNS, Slack, PagerDuty and e-mail, each by its connection
"""
