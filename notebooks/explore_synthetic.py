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
# # Explore the feature model
#
# The feature model draws features of known kind and strength for a label. A *uni-modal feature*
# shows the class within one modality; a *paired feature* shows it only together with its partner in
# the other modality. The sliders set their strengths. After each move, UME, joint training, UMT and
# heads on frozen encoders are trained again: first with one seed, which takes about two seconds,
# then with all seeds. What was trained before is shown at once, and a new move replaces the
# training of the one before.

# %%
import ipywidgets
import torch
from IPython.display import display

from umt_lib.study.analyses.regime_map.one_cell import Explorer
from umt_lib.study.analyses.regime_map.worlds import Cell
from umt_lib.study.report.explore_figures import STRATEGIES
from umt_lib.study.report.explore_page import Newest, View

torch.set_num_threads(1)

# %% tags=["parameters"]
dataset = "synthetic"  # or digit-pairs
seeds = [0, 1, 2]
line = [0.0, 0.25, 0.5, 0.75, 1.0]  # strengths of paired features, in the second figure

# %% [markdown]
# ## One setting of the map, and a line through it
#
# The first figure shows the test accuracy of each strategy. Validation makes all free choices
# (UME's rule, learning rates, UMT's weight). *Asymmetry* makes the uni-modal feature of the second
# modality weaker. While you look, the second figure is trained: the accuracy of three strategies
# minus that of UME, with paired features of increasing strength and all else as you have set it.

# %%
explorer = Explorer(dataset, STRATEGIES, [seeds[:1], seeds])
status, cell, along = (ipywidgets.HTML() for _ in range(3))
view = View(explorer.world, status, cell, along)
newest = Newest(view.show, view.failed)


def move(**factors):
    newest.start(explorer.steps(Cell.at(**factors), "paired", line))


lazily = {"continuous_update": False, "style": {"description_width": "9em"}}
sliders = {
    "uni": ipywidgets.FloatSlider(0.4, min=0, max=0.9, step=0.1, description="uni-modal", **lazily),
    "paired": ipywidgets.FloatSlider(0.5, min=0, max=1, step=0.125, description="paired", **lazily),
    "asymmetry": ipywidgets.FloatSlider(
        0.0, min=0, max=1, step=0.25, description="asymmetry", **lazily
    ),
    "n_train": ipywidgets.SelectionSlider(
        value=1024, options=[256, 512, 1024, 2048], description="training samples", **lazily
    ),
}
display(ipywidgets.VBox([*sliders.values(), status, cell, along]))
_ = ipywidgets.interactive_output(move, sliders)

# %% [markdown]
# **What to look for.** Without paired features, few strategies are better than UME. With strong
# paired features, compare a linear head on frozen encoders with joint training with an MLP head:
# the difference is the blind spot of the paper's rule. With both kinds of features strong,
# distillation can suppress paired features. The maps of the book show all settings, with more
# seeds.
