"""Diagnosing and re-learning: encoders that overfit are moved back towards their initial weights.

    g_m = |P(z_m of the training split) - P(z_m of the validation split)|,   a_m = tanh(lambda g_m)
    w <- a_m w_0 + (1 - a_m) w   for each parameter w of encoder m, which was w_0 at first

P is the purity of a clustering: features are scaled to [-1, 1] in each dimension and divided into
as many clusters as there are classes by k-means; P is the share of samples whose class is the most
frequent one of their cluster. Between these moments, ``times`` of them, each a share ``every`` of
the epochs after the one before, it is plain joint training. The head, batch statistics and momenta
stay as they are. An encoder that separates new samples as well as those it learned from is left
alone, however little it knows; so all modalities are treated alike.

The equations are those of code/ours.py of github.com/GeWu-Lab/Diagnosing_Relearning_ECCV2024
(commit 59b5787). Deviation: that code does this after epochs 21, 41 and 61 of 90 and chooses the
epoch on its test split; here the moments are shares of the schedule and validation chooses.

Source: Wei et al., ECCV 2024; lambda is 3 in that code.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, NonNegativeInt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import minmax_scale
from torch import Tensor

from umt_lib.methods.base import Method, Setting
from umt_lib.models import LateFusion
from umt_lib.models.inference import outputs


@dataclass
class DiagnosingRelearning(Method):
    """Joint training with encoders that are softly re-initialised a few times.

    ``strength`` is lambda; ``strength`` or ``times`` 0 is joint training, bit for bit.
    """

    title = "diagnosing and re-learning"
    family = "re-initialisation"
    year = 2024
    baseline = False

    strength: NonNegativeFloat = 3.0
    times: NonNegativeInt = 3
    every: Annotated[float, Field(gt=0, le=1)] = 0.22  # of the epochs

    def start(self, model: LateFusion, setting: Setting) -> None:
        self.train, self.validation = setting.train, setting.validation
        self.initial = {
            m: [p.detach().clone() for p in encoder.parameters()]
            for m, encoder in model.encoders.items()
        }

    def on_epoch(self, model: LateFusion, epoch: int, epochs: int) -> int:
        moments = {round(turn * self.every * epochs) for turn in range(1, self.times + 1)}
        if epoch not in moments:
            return 0
        for m, a in self.shares(model).items():
            for p, initial in zip(model.encoders[m].parameters(), self.initial[m], strict=True):
                p.data.lerp_(initial, a)
        return len(self.train) + len(self.validation)

    def shares(self, model: LateFusion) -> dict[str, float]:
        """The share a_m of its initial weights that each encoder gets, in [0, 1)."""
        known, held = outputs(model, self.train), outputs(model, self.validation)
        classes = int(self.train.y.max()) + 1
        gaps = {
            m: purity(z, self.train.y, classes)
            - purity(held.features[m], self.validation.y, classes)
            for m, z in known.features.items()
        }
        return {m: float(np.tanh(self.strength * abs(gap))) for m, gap in gaps.items()}


def purity(z: Tensor, y: Tensor, clusters: int) -> float:
    """Share of features z (n, d) whose class y (n,) is the most frequent one of their cluster."""
    scaled = minmax_scale(z.cpu().numpy().astype(np.float64), feature_range=(-1, 1))
    with warnings.catch_warnings():  # fewer different features than clusters: some stay empty
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(min(clusters, len(scaled)), random_state=0).fit_predict(scaled)
    counts = torch.zeros(clusters, int(y.max()) + 1)
    counts.index_put_((torch.from_numpy(found).long(), y.cpu()), torch.ones(len(y)), True)
    return float(counts.amax(1).sum()) / len(y)
