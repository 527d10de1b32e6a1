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
# # UME, UMT or interactions? One data set, with the evidence
#
# The guide recommends how to train: combine uni-modal models (UME), train jointly with uni-modal
# teachers (UMT), or train jointly with a head that can represent interactions. It reads features of
# samples that the encoders were not trained on, one array per modality.

# %%
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from IPython.display import Markdown, display
from sklearn.datasets import load_digits

from umt_lib.guide import readers, recommend, report
from umt_lib.study.analyses.guide_check.features import load

# %% [markdown]
# ## The parameters
#
# `source` is a file of your features (`.npz`, `.h5`, `.mat`, `.pt`, `.csv`, `.parquet`), a folder
# of `.npy` files, or the name of one of our data sets (say `"digit-halves"`) whose uni-modal
# encoders `make study` has trained; `print(readers.FORMATS)` describes the files. A path is
# relative to this notebook. `inputs` is a file with raw inputs of the same samples, to find
# interactions that the features do not contain. If `source` is empty, the notebook uses the example
# that the next cell saves.

# %% tags=["parameters"]
source = ""
inputs = ""
seed = 0

# %% [markdown]
# ## Features as you would save them
#
# The example is handwritten digits of 8 x 8 pixels: the left half is one modality, the right half
# the other. The arrays may have any names. `labels` is required, and `groups` should be given if
# several samples come from one person, video or object.

# %%
if not source:
    digits = load_digits(n_class=4)
    saved = Path(tempfile.mkdtemp()) / "digits.npz"
    left, right = np.split(digits.images, 2, axis=2)
    n = len(digits.target)
    np.savez(saved, left=left.reshape(n, -1), right=right.reshape(n, -1), labels=digits.target)
    source = str(saved)
given = load(source, seed)
if inputs:
    given = given._replace(extra=readers.inputs(inputs, given))
{m: x.shape for m, x in given.features.items()} | {"labels": given.labels.shape}

# %% [markdown]
# ## The evidence
#
# Every sample gets a held-out prediction of each strategy to combine the modalities. Left: the
# accuracy of each. Right: the gain from each of five possible causes, with 95% intervals.

# %%
found = recommend(
    given.features,
    given.labels,
    given.groups,
    extra=given.extra,
    seed=seed,
    source=Path(given.name).name,
)
figure = report.picture(found)
figure.set_dpi(80)  # fits beside JupyterLab's list of files
display(figure)

# %%
number = len(found.data["modalities"])
ranked = {
    name: [
        report.in_numbers(cost, number),
        *(round(100 * value, 1) for value in (accuracy.mean, *behind[:3])),
    ]
    for name, (cost, accuracy, behind) in found.ranking.items()
}
columns = ["cost", "accuracy (%)", "points below the best", "low", "high"]
pd.options.display.max_colwidth = None
pd.DataFrame.from_dict(ranked, orient="index", columns=columns)

# %%
causes = {name: [100 * value for value in m.accuracy[:3]] for name, m in found.causes.items()}
pd.DataFrame(causes, index=["gain (points)", "low", "high"]).T.round(1)

# %% [markdown]
# ## The decision
#
# The paper's rule compares a head on frozen features with the mean of probabilities. Our rule tests
# in turn whether there are interactions, whether paired features that a linear head can use give a
# gain over the *best* rule of combination, and whether there are enough samples to exclude both.

# %%
Markdown(
    f"**What we saw.** The verdict of our rule is **{found.verdict}**: {found.reason}. The verdict "
    f"of the paper's rule is **{found.paper}**. {report.advice(found)} "
    f"Cheapest: **{found.cheapest}**. {report.saving(found)}\n\n"
    "**How this verdict can be wrong**\n\n"
    + "\n".join(f"- {warning}" for warning in found.warnings)
)
