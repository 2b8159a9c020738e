"""Metrics: what the gateway counts while it works, and how monitoring systems read it."""
