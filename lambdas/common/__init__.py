"""Code that several functions share: environment, batches, deadlines, clients of AWS, quarantine, metrics."""
