"""The MERGE that keeps the history, and its oracle in plain Python."""
