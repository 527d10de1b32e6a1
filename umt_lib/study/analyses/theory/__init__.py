"""The model of feature learning, compared to networks."""
