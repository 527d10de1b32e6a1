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
# on frozen encoders again, for a few seeds, in some seconds. The result is one cell of the maps in
# the book.

# %%
import ipywidgets
import numpy as np
import pandas as pd
import torch
from IPython.display import display

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.regime_map.measure import best, explore
from umt_lib.study.analyses.regime_map.train import Chunk
from umt_lib.study.analyses.regime_map.worlds import Cell, world
from umt_lib.study.report.figures import dots

torch.set_num_threads(1)

# %% tags=["parameters"]
dataset = "synthetic"  # or digit-pairs
seeds = [0, 1, 2]

# %% [markdown]
# ## One cell of the map
#
# The figure shows the test accuracy: its mean over seeds and 95% t-interval. Filled dots are
# strategies with a linear head, or UME. Validation makes the free choices (UME's rule, learning
# rates, UMT's weight).

# %%
COLORS = {"UME": "ume", "joint": "joint", "UMT": "umt", "frozen": "unimodal"}
SHOWN = ["UME", *(f"{kind} ({head})" for kind in list(COLORS)[1:] for head in ("linear", "MLP"))]


def measured(*cells):
    """{strategy: test accuracy of every seed} for each of some cells of one sample size."""
    _, tuned = explore(Chunk(world(dataset), cells, seeds), SHOWN)
    return [
        {name: tuned[name][best(tuned[name])[c]].test[c] for name in SHOWN}
        for c in range(len(cells))
    ]


def show(**dials):
    (found,) = measured(Cell.at(**dials))
    rows = [
        (name, COLORS[name.split()[0]], "MLP" not in name, t_interval(values))
        for name, values in found.items()
    ]
    facts = world(dataset).bayes(dials)
    text = ", ".join(f"{100 * facts[name]:.1f} {name}" for name in ("additive", "all"))
    display(dots({f"best possible: {text}": rows}, "test accuracy (%)"))


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
line = measured(*(Cell.at(uni=0.4, paired=p, asymmetry=0.0, n_train=1024) for p in strengths))
means = pd.DataFrame(line, index=pd.Index(strengths, name="paired strength")).map(np.mean)
pairs = (("joint (MLP)", "UME"), ("UMT (MLP)", "UME"), ("frozen (linear)", "UME"))
(100 * pd.DataFrame({f"{a} minus {b}": means[a] - means[b] for a, b in pairs})).T.round(1)

# %% [markdown]
# **What to look for.** Without paired features, few strategies are better than UME. With strong
# paired features, compare a linear head on frozen encoders with joint training with an MLP head:
# the difference is the blind spot of the paper's rule. With both kinds of features strong,
# distillation can suppress paired features.
