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
# # One experiment, step by step
#
# This notebook runs one experiment from the first sample to the last number. A params file names a
# data set, an encoder per modality, a fusion head, a training method and the seeds. The notebook is
# executed once for every file in `params/`; opened here, it runs the defaults below. Change one of
# them, restart the kernel and run all cells. With other parameters than `params/<name>.yaml` has,
# if there is such a file, the run is a trial with a name of its own: that file's result is kept.

# %%
import inspect

import pandas as pd
from IPython.display import Markdown

from umt_lib.data import DATASETS
from umt_lib.evaluation.intervals import accuracy_interval
from umt_lib.study.experiments import trials
from umt_lib.study.report import figures

known = {*globals(), "known"}

# %% [markdown]
# ## The parameters
#
# These are the keys of a params file, which replaces them. The last four may be absent: values of
# a hyper-parameter that is chosen on validation, the experiment whose learning rate is used, the
# uni-modal experiments of a method that needs teachers, and an estimate for the run graph.

# %% tags=["parameters"]
name = "synthetic-joint"
dataset = {"name": "synthetic"}
encoders = {"a": {"name": "mlp"}, "b": {"name": "mlp"}}
head = {"name": "linear"}
method = {"name": "joint"}
training = {"epochs": 20, "probe_every": 5}
seeds = [0, 1, 2, 3, 4]
sweep = None
learning_rate_of = None
teachers = None
resources = None

# %% [markdown]
# ## The check, and what a sample looks like
#
# Every name that is new since the imports is a parameter, so a misspelt one is refused here, before
# any training. Loading the data checks that no group is in two splits and that every class is in
# each split.

# %%
new = {key: value for key, value in globals().items() if key not in known and key[0] != "_"}
params = {key: value for key, value in new.items() if value is not None}
experiment, trial = trials.prepare(params)
inspect.getmodule(DATASETS[dataset["name"]]).picture(experiment.splits)

# %% [markdown]
# ## Training
#
# Every seed has its own initialisation and order of samples. Validation chooses the epoch; then the
# test split is read, once. An interrupted run resumes from its last checkpoint. Accuracies are in
# percent:

# %%
result = experiment.run(to=trial)
table = pd.DataFrame(
    {
        "seed": record.seed,
        "chosen epoch": record.epoch,
        "validation": 100 * record.validation.accuracy,
        "test": 100 * record.test.accuracy,
        **{f"probe of {m}": 100 * accuracy for m, accuracy in record.probes.items()},
    }
    for record in result.measured.seeds
).set_index("seed")
table.round(1)

# %%
figures.history(result)

# %% [markdown]
# ## Is an encoder lazy?
#
# A linear probe measures the features of each encoder separately while the training accuracy of the
# whole model rises. If that accuracy is close to 100% and a probe no longer rises, the encoder has
# stopped learning. The book shows how much worse it is than the uni-modal encoder.

# %%
figures.saturation(result)

# %%
mean, low, high, n = accuracy_interval(result.accuracy)
spread = f"95% interval {low:.1%} to {high:.1%}, {n} seeds" if n > 1 else "one seed"
probes = [
    f"{c.removeprefix('probe of ')} {table[c].mean():.1f}%" for c in table.filter(like="probe")
]
Markdown(
    f"**What we saw.** {name} classifies {mean:.1%} of the test samples correctly ({spread}). "
    f"Accuracy of a linear probe of each encoder: {', '.join(probes)}."
    + (f" This is {trials.where(trial, name)}." if trial else "")
)
