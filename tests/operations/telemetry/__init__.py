"""Spans of SMS for OpenTelemetry."""
