"""The feature-learning account, simulated and beside real networks."""
