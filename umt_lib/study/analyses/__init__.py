"""Analyses: one question, many small trainings, one result."""
