"""The laptop's AWS: MiniStack, and what it lacks."""
