"""The demo: starts every process, sends traffic, and compares every store with what was sent."""
