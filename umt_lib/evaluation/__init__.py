"""Evaluation of predictions and features: accuracy, intervals, probes, tests of interactions."""
