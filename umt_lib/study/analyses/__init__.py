"""One question, many trainings, one result: analyses."""
