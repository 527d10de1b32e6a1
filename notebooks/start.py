# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Start here
#
# These notebooks are the study, to be changed and run again. Click on one; *Run > Run All Cells*
# executes it. What `experiment` measures is kept in `runs/`; none changes a published result.
#
# - [explore_synthetic](explore_synthetic.py): set the strength of uni-modal and paired features
#   with sliders, and see in seconds which strategy is best.
# - [open_result](open_result.py): open any result, with its curves, probes, confused classes and
#   the samples that the model gets most wrong.
# - [guide](guide.py): get the recommendation for your own features, from a file, with its evidence.
# - [experiment](experiment.py): run one experiment step by step, from the first sample to the last
#   number.
# - [dataset](dataset.py), [method](method.py) and [result](result.py): all results on one data set,
#   of one method, or of one experiment, as the pages of the book show them.
#
# The list on the left is the folder of these notebooks. Drop a file of features into it, and
# `guide` opens it by its name.
