"""All experiments and analyses: run, collected, published."""
