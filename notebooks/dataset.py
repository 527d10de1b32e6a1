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
# # One data set
#
# This notebook makes the page of every data set in the book, beside the prose in `book/datasets/`:
# the cells up to the one tagged `answer` follow the title, the others follow the introduction. A
# section in which no cell shows anything, because nothing has been measured yet, is left out.

# %%
from umt_lib.study.report import dataset_page as page

# %% tags=["parameters"]
dataset = "watch"

# %% tags=["answer"]
page.verdict(dataset)

# %%
page.facts(dataset)

# %%
page.picture(dataset)

# %% [markdown]
# ## Findings
#
# Differences are in percentage points of test accuracy, paired over seeds, with 95% intervals.

# %%
page.findings(dataset)

# %% [markdown]
# ## Accuracy

# %%
page.accuracy(dataset)

# %%
page.chance(dataset)

# %% [markdown]
# ## Does joint training saturate?

# %%
page.saturation(dataset)

# %% [markdown]
# ## Have the baselines converged?
#
# *Late gain* is the mean validation accuracy in the last quarter of the part of the schedule with a
# constant learning rate, minus that in the quarter before. A baseline that gains more than half a
# percentage point counts as still rising.

# %%
page.late_gains(dataset)

# %%
page.convergence(dataset)

# %% [markdown]
# ## Validation sweeps
#
# Each hyper-parameter was chosen from these values by the validation accuracy of the first three
# seeds; see the [protocol](/protocol.md).

# %%
page.sweeps(dataset)

# %% [markdown]
# ## Cost of one seed
#
# *Seconds* are training time without the sweep; *with teachers* adds the uni-modal trainings that
# a method needs. *Encoder passes* are the training samples that pass through encoders, including
# those of teachers. *Trainings* includes those of the sweep and of the teachers.

# %%
page.costs(dataset)
