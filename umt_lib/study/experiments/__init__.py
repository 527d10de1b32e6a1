"""Experiments: one params file, one result."""
