"""QuarantineIntake: batches that a mapping gave up on -> quarantine, by envelope."""
