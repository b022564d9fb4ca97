"""What the functions share: environment, batches, deadline, stores of both, quarantine."""
