"""Is the guide right? Its verdicts against finished runs."""
