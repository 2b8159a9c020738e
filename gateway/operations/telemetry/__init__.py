"""OpenTelemetry: spans of SMS, made after the commit from recorded times. An extra, off by default."""
