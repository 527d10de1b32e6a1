"""The pipeline: run, collect and publish all experiments and analyses."""
