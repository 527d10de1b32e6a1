"""Check whether the guide is right: its verdicts against the test accuracy of every strategy."""
