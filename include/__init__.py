"""What every part of the pipeline shares; nothing in here imports from dags/, plugins/, lambdas/ or dashboard/."""
