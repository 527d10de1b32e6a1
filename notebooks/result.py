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
# # One finished experiment
#
# This notebook opens the result of one experiment. The book has such a page for every result; where
# the run graph measured it on the machine that built the book, the page is the executed notebook.

# %%
from umt_lib.study.report import experiment_page as page

# %% tags=["parameters"]
name = "watch-umt"

# %%
page.about(name)

# %%
page.compared(name)

# %%
page.seeds(name)

# %%
page.chosen(name)

# %%
page.curves(name)

# %% [markdown]
# ## Parameters

# %%
page.params(name)
