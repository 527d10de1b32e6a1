"""Evaluation: scores, intervals, linear probes, diagnostics of interactions, tests of residuals."""
