"""Measure the cost of UMT: how much distillation suppresses paired features.

A teacher is trained on one modality, so its features contain nothing that is useful only together
with the other modality. The closer the student's features are to those of the teacher, the less
capacity is left for paired features. Measured on cells of the map, as a function of the weight of
UMT: the accuracy, and the EMAP gap (what the model gains from interactions), for plain UMT and for
three remedies: distillation into a learned projection of features of twice the width, a weight that
falls to 0 over half the schedule or all of it, and distillation of a sub-space only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from pydantic import PositiveInt
from torch import Tensor, nn
from tqdm import tqdm

from umt_lib.data.splits import Split
from umt_lib.errors import StudyError
from umt_lib.methods.umt import UMT
from umt_lib.study.analyses.batched.fit import (
    Targets,
    features,
    fit,
    fit_teachers,
    only,
    outputs,
)
from umt_lib.study.analyses.batched.losses import (
    Distilled,
    Projected,
    Subspace,
    bases,
    constant,
    fading,
)
from umt_lib.study.analyses.batched.networks import Params, stack, stacked
from umt_lib.study.analyses.regime_map.train import initial
from umt_lib.study.analyses.regime_map.worlds import Cell, World, world
from umt_lib.study.analyses.values import Factor, Samples, Seeds, Values
from umt_lib.training import Share

WIDER = 2  # width of a student whose features are projected, as a multiple
FADING = {"fading-half": 0.5, "fading": 1.0}  # the part of the schedule with a weight above 0
EMAP_SAMPLES = 1000  # the EMAP gap is measured on the first so many test samples


@torch.no_grad()
def emap_gap(params: Params, split: Split) -> list[int]:
    """The number of correct samples of each model minus that of its EMAP.

    For models with an MLP head and two modalities. The logits are linear in the hidden units, so
    EMAP only needs the means of relu(a_i + c_j) over j and over i. Sorted cumulative sums give them
    exactly, without the n^2 pass of ``interactions.py``.
    """
    out = outputs(params, split)
    a, c = out.features.values()
    one, two = params["head.layers.0.weight"].split([a.shape[2], c.shape[2]], dim=2)
    a = torch.baddbmm(params["head.layers.0.bias"].unsqueeze(1), a, one.mT).double()
    c = (c @ two.mT).double()
    row, column = _mean_relu(a, c), _mean_relu(c, a)
    bias, weight = (params[f"head.layers.2.{name}"].double() for name in ("bias", "weight"))
    additive = (row + column - row.mean(1, keepdim=True)) @ weight.mT + bias.unsqueeze(1)
    whole = _correct(out.fused, split.y)
    return [w - e for w, e in zip(whole, _correct(additive, split.y), strict=True)]


def _mean_relu(a: Tensor, c: Tensor) -> Tensor:
    """mean_j relu(a_i + c_j) for (G, n, h) and (G, n, h), from the terms with c_j >= -a_i."""
    a, c = a.mT.contiguous(), c.mT.contiguous().sort(dim=2).values
    tail = torch.cat([c.flip(2).cumsum(2).flip(2), torch.zeros_like(c[:, :, :1])], 2)
    first = torch.searchsorted(c, -a)
    return (((c.shape[2] - first) * a + tail.gather(2, first)) / c.shape[2]).mT


def _correct(logits: Tensor, y: Tensor) -> list[int]:
    """The number of correct samples of each model."""
    return (logits.argmax(2) == y).sum(1).tolist()


class Setup(NamedTuple):
    """What all variants of one analysis have in common: data, teachers and distillation targets."""

    world: World
    cell: Cell  # one of them; all have the same schedule
    starts: list[int]  # seeds of the data and the initialisation, by cell, then seed
    train: Split
    validation: Split
    test: Split
    teachers: dict[str, Params]
    targets: dict[str, Tensor]  # features of the teachers on the training samples

    def start(self, wider: int = 1) -> Params:
        """New students; wider ones have projections A_m to the width of the teachers."""
        shapes = {m: tuple(x.shape[2:]) for m, x in self.train.x.items()}
        models = [initial(self.world, "mlp", shapes, s, wider) for s in self.starts]
        for model in models if wider > 1 else ():
            dim = self.world.dim
            model.auxiliary = nn.ModuleDict({m: nn.Linear(wider * dim, dim) for m in shapes})
        return stack(models)

    def fit(self, variant: str, weight: float) -> Params:
        """Train one variant of :data:`VARIANTS` with one weight."""
        method, wider = VARIANTS[variant]
        whole = torch.ones(len(self.starts))
        share = fading(whole, FADING[variant]) if variant in FADING else constant(whole)
        fixed = bases(self.teachers) if method is Subspace else {}
        return fit(
            self.start(wider),
            method(weight=weight),
            self.train,
            self.validation,
            self.world.training(self.cell),
            Targets(self.targets, share, fixed),
        )


VARIANTS: dict[str, tuple[type[UMT], int]] = {  # method, and width of the features as a multiple
    "umt": (UMT, 1),
    "projected": (Projected, WIDER),
    "fading-half": (Distilled, 1),
    "fading": (Distilled, 1),
    "subspace": (Subspace, 1),
}
OWN_ZERO = ("umt", "projected")  # the other variants equal "umt" at weight 0


def setup(chosen: World, cells: Sequence[Cell], seeds: Sequence[int]) -> Setup:
    """Data of all cells and seeds (of one sample size), and teachers trained on them."""
    data = stacked([chosen.data(cell, seed) for cell in cells for seed in seeds])
    starts = [cell.stream(seed) for cell in cells for seed in seeds]
    schedule = chosen.training(cells[0])

    def fresh(m: str, starts: list[int]) -> Params:
        shapes = {m: tuple(data.train.x[m].shape[2:])}
        return stack([initial(chosen, "linear", shapes, s) for s in starts])

    teachers = fit_teachers(fresh, starts, data.train, data.validation, schedule)
    targets = features(teachers, data.train)
    return Setup(chosen, cells[0], starts, *data, teachers, targets)


def distillation_cost(
    dataset: str,
    seeds: Seeds,
    uni: Values[Share],
    paired: Values[Share],
    weights: Values[Factor],
    few_weights: Values[Factor],
    n_train: Samples = 2048,
    updates: PositiveInt = 480,
    learning_rate: Factor = 0.1,
) -> dict[str, Any]:
    """Train all variants with an MLP head, over the weight, for all ``uni`` and ``paired``.

    Args:
        dataset: a key of ``regime_map.worlds.WORLDS`` with the dials ``uni``, ``paired`` and
            ``asymmetry``, whose networks are used.
        weights: the weights of UMT besides 0.
        few_weights: the weights of all other variants besides 0; some of ``weights``.
        updates, learning_rate: of every training. There is one rate, because a large weight with
            a larger step diverges.

    Returns:
        ``cells`` [{"uni", "paired", "bayes", "ume" (the product rule) {"validation", "test": one
        accuracy per seed}, "variants" {name: [{"weight", "validation", "test", "emap_gap"}]}}], and
        the settings.

    Raises:
        StudyError: the data set has no map, a weight is not among ``weights``, or a training
            diverged.
    """
    if other := set(few_weights) - set(weights):
        raise StudyError(
            f"few_weights has {min(other)}, which is not among the weights {list(weights)}; give "
            f"some of these, since other variants are compared with UMT of the same weight"
        )
    chosen = replace(world(dataset), updates=updates, learning_rate=learning_rate)
    cells = [Cell.at(uni=u, paired=p, asymmetry=0.0, n_train=n_train) for u in uni for p in paired]
    made = setup(chosen, cells, seeds)
    records: list[dict[str, Any]] = [
        {
            "uni": c["uni"],
            "paired": c["paired"],
            "bayes": chosen.bayes(c.dials),
            "ume": {},
            "variants": {},
        }
        for c in cells
    ]

    def shares(counts: Sequence[int], n: int) -> list[list[float]]:
        """Counts by cell, then seed -> for each cell the share of every seed."""
        every = [count / n for count in counts]
        return [every[i : i + len(seeds)] for i in range(0, len(every), len(seeds))]

    def scored(params: Params) -> list[dict[str, list[float]]]:
        found = {
            part: shares(_correct(outputs(params, split).fused, split.y), split.y.shape[1])
            for part, split in (("validation", made.validation), ("test", made.test))
        }
        x = {m: x[:, :EMAP_SAMPLES] for m, x in made.test.x.items()}
        first = Split(x, made.test.y[:, :EMAP_SAMPLES])
        found["emap_gap"] = shares(emap_gap(params, first), first.y.shape[1])
        return [{key: value[i] for key, value in found.items()} for i in range(len(cells))]

    for part, split in (("validation", made.validation), ("test", made.test)):
        logs = [outputs(t, only(split, m)).fused.log_softmax(2) for m, t in made.teachers.items()]
        accuracies = shares(_correct(torch.stack(logs).sum(0), split.y), split.y.shape[1])
        for record, values in zip(records, accuracies, strict=True):
            record["ume"][part] = values
    todo = [(v, w) for v in VARIANTS for w in (0.0, *(weights if v == "umt" else few_weights))]
    for variant, weight in tqdm(todo, desc=f"trade-off on {dataset}", disable=None):
        if weight == 0 and variant not in OWN_ZERO:
            found = [r["variants"]["umt"][0] for r in records]
        else:
            found = scored(made.fit(variant, weight))
        for record, values in zip(records, found, strict=True):
            record["variants"].setdefault(variant, []).append({**values, "weight": float(weight)})
    sizes = {"n_train": n_train, "n_validation": chosen.n_validation, "n_test": chosen.n_test}
    settings = {"updates": updates, "learning_rate": learning_rate, **sizes}
    return {"dataset": dataset, "seeds": list(seeds), **settings, "cells": records}
