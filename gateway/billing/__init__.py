"""Charging records: settlement files from what the store has recorded."""
