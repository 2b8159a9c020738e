"""Tests of the figures in a gateway."""
