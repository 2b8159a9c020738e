"""Tests of gateway.operations.timeline."""
