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
# # Open one result
#
# This notebook shows what is known about one experiment: accuracy, curves, probes, parameters, and
# which test samples the model of one seed gets wrong. It opens results of this machine and those
# that are published. Predictions need the trained models, which are on this machine only if the
# experiment has been run here. Nothing is trained in this notebook.

# %%
from umt_lib.study.report import experiment_page, open_page

# %% [markdown]
# ## Which experiment?
#
# `name` is an experiment, that is, the name of a params file, or a trial of `umt run --set`. The
# table below lists those whose names contain all the words of `find`. After a new run, restart the
# kernel.

# %% tags=["parameters"]
name = "digit-halves-umt"
seed = 0
find = "digit-halves"

# %%
open_page.listed(find)

# %%
open_page.heading(name)

# %%
open_page.compared(name)

# %% [markdown]
# ## Seeds and probes
#
# The probe of a modality is the test accuracy of a linear classifier on the features of its
# encoder.

# %%
experiment_page.seeds(name)

# %%
experiment_page.chosen(name)

# %%
experiment_page.curves(name)

# %% [markdown]
# ## Which classes are confused?

# %%
open_page.confusion(name, seed)

# %%
open_page.most_wrong(name, seed)

# %% [markdown]
# ## Parameters

# %%
experiment_page.params(name)
