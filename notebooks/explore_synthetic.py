# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Explore the feature model
#
# The feature model draws features of known kind and strength for a label. The sliders below set the
# strength of uni-modal and paired features. Every change trains UME, joint training, UMT and heads
# on frozen encoders again, for a few seeds, in some seconds. The result is one cell of the map in
# the book.

# %%
import ipywidgets
import pandas as pd
import torch
from IPython.display import display

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.regime_map import methods, summary
from umt_lib.study.analyses.regime_map.grid import Cell, grid
from umt_lib.study.report.figures import dots

torch.set_num_threads(1)

# %% tags=["parameters"]
dataset = "synthetic"  # or digit-pairs
seeds = [0, 1, 2]

# %% [markdown]
# ## One cell of the map
#
# The figure shows the test accuracy: its mean over seeds and 95% t-interval. Filled dots are
# strategies with a linear head, or UME. Validation makes the free choices (UME's rule, UMT's
# weight).

# %%
METHODS = {"UME": "ume", "joint": "joint", "UMT": "umt", "frozen": "unimodal"}


def measured(*places):
    """Cells of one sample size, as a map."""
    scores = methods.measure(grid(dataset), places, seeds)
    records = [
        {**place._asdict(), "bayes": place.bayes, **found}
        for place, found in zip(places, scores, strict=True)
    ]
    return summary.read({"dataset": dataset, "n_train": places[0].n_train, "cells": records})


def show(**place):
    found = measured(Cell(**place))
    rows = [
        (name, METHODS[name.split()[0]], "MLP" not in name, t_interval(found.accuracy[name][0]))
        for name in summary.STRATEGIES
    ]
    best = ", ".join(f"{100 * value[0]:.1f} {name}" for name, value in found.bayes.items())
    display(dots({f"best possible: {best}": rows}, "test accuracy (%)"))


# %%
_ = ipywidgets.interact(
    show,
    uni=ipywidgets.FloatSlider(0.4, min=0.0, max=0.9, step=0.1, description="uni-modal"),
    paired=ipywidgets.FloatSlider(0.5, min=0.0, max=1.0, step=0.1, description="paired"),
    asymmetry=ipywidgets.FloatSlider(0.0, min=0.0, max=1.0, step=0.25, description="asymmetry"),
    n_train=ipywidgets.SelectionSlider(
        value=1024, options=[256, 512, 1024, 2048], description="samples"
    ),
)

# %% [markdown]
# ## A line through the map
#
# At which strength of paired features does joint training become better? The uni-modal features are
# fixed. The table shows differences in percentage points, as means over seeds.

# %%
strengths = (0.0, 0.25, 0.5, 0.75, 1.0)
line = measured(*(Cell(0.4, paired, 0.0, 1024) for paired in strengths))
gaps = {
    f"{a} minus {b}": 100 * summary.gap(line, a, b)[0]
    for a, b in (("joint (MLP)", "UME"), ("UMT (MLP)", "UME"), ("frozen (linear)", "UME"))
}
pd.DataFrame(gaps, index=pd.Index(strengths, name="paired strength")).T.round(1)

# %% [markdown]
# **What to look for.** Without paired features, few strategies are better than UME. With strong
# paired features, compare a linear head on frozen encoders with joint training with an MLP head:
# the difference is the blind spot of the paper's rule. With both kinds of features strong,
# distillation can suppress paired features.
