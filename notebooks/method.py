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
# # One method
#
# This notebook makes the page of every method in the book, beside the prose in `book/methods/`.

# %%
from umt_lib.study.report import method_page as page

# %% tags=["parameters"]
method = "umt"

# %% [markdown]
# ## Where it acts
#
# A dot marks a hook of the one training loop that this method changes; see
# [all methods](/methods/index.md).

# %%
page.acts(method)

# %% [markdown]
# ## Results

# %% tags=["full-width"]
page.results(method)
