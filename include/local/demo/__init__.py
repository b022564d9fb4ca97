"""The demo: starts every process, sends traffic, and checks every store against what was sent."""
