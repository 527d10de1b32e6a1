"""UMT's price: how much distillation takes of what only the modalities together can tell.

A teacher never saw the other modality, so its features hold nothing that is of use only in a pair.
The nearer a student is pulled to them, the less room is left for such features. Measured over the
weight of UMT, on cells of the map: the accuracy, and the EMAP gap (what the model gains from
interactions). Beside plain UMT, the remedies of ``remedies.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, NamedTuple

import torch
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from tqdm import tqdm

from umt_lib.data.splits import Split
from umt_lib.methods.joint import Joint
from umt_lib.methods.umt import UMT
from umt_lib.study.analyses.batched.fit import (
    Epochs,
    epochs,
    features,
    fit,
    only,
    outputs,
    with_inputs,
)
from umt_lib.study.analyses.batched.networks import Params, stack, stacked
from umt_lib.study.analyses.distillation_cost.remedies import (
    Fading,
    Projected,
    Subspace,
    fading,
    with_bases,
)
from umt_lib.study.analyses.regime_map.grid import Cell, Grid, grid
from umt_lib.study.analyses.regime_map.methods import initial

WIDER = 2  # times the width of a student whose features are projected
FADING = {"fading-half": 0.5, "fading": 1.0}  # the part of the schedule that has any weight
GLIMPSE = 1000  # test samples of the EMAP gap
Unit = Annotated[float, Field(ge=0, le=1)]


@torch.no_grad()
def emap_gap(params: Params, split: Split) -> list[int]:
    """Per model with an MLP head and two modalities: samples right, less those of its EMAP.

    The logits are linear in the hidden units, so EMAP needs the mean of relu(a_i + c_j) over j and
    over i alone: exact from sorted sums, without the n^2 pass of ``interactions.py``.
    """
    out = outputs(params, split)
    a, c = out.features.values()
    one, two = params["head.layers.0.weight"].split([a.shape[2], c.shape[2]], dim=2)
    a = torch.baddbmm(params["head.layers.0.bias"].unsqueeze(1), a, one.mT).double()
    c = (c @ two.mT).double()
    row, column = _mean_relu(a, c), _mean_relu(c, a)
    bias, weight = (params[f"head.layers.2.{name}"].double() for name in ("bias", "weight"))
    additive = (row + column - row.mean(1, keepdim=True)) @ weight.mT + bias.unsqueeze(1)
    whole = _right(out.fused, split.y)
    return [w - e for w, e in zip(whole, _right(additive, split.y), strict=True)]


def _mean_relu(a: Tensor, c: Tensor) -> Tensor:
    """mean_j relu(a_i + c_j) of (G, n, h) and (G, n, h): those with c_j >= -a_i count."""
    a, c = a.mT.contiguous(), c.mT.contiguous().sort(dim=2).values
    tail = torch.cat([c.flip(2).cumsum(2).flip(2), torch.zeros_like(c[:, :, :1])], 2)
    first = torch.searchsorted(c, -a)
    return (((c.shape[2] - first) * a + tail.gather(2, first)) / c.shape[2]).mT


def _right(logits: Tensor, y: Tensor) -> list[int]:
    return (logits.argmax(2) == y).sum(1).tolist()


class Setup(NamedTuple):
    """All that the variants of one analysis share: data, teachers, what is distilled."""

    grid: Grid
    starts: list[int]  # of the data and the initialisation, by cell, then seed
    train: Split
    validation: Split
    test: Split
    seen: Epochs
    teachers: dict[str, Params]
    known: Epochs  # the batches with the teachers' features as inputs

    def start(self, wider: int = 1) -> Params:
        """Fresh students; wider ones come with the projections A_m to the teachers' width."""
        grid_ = replace(self.grid, dim=wider * self.grid.dim)
        shapes = {m: tuple(x.shape[2:]) for m, x in self.train.x.items()}
        models = [initial(grid_, "mlp", shapes, s) for s in self.starts]
        for model in models if wider > 1 else ():
            made = {m: nn.Linear(grid_.dim, self.grid.dim) for m in shapes}
            model.auxiliary = nn.ModuleDict(made)
        return stack(models)

    def fit(self, variant: str, weight: float) -> Params:
        """Train one variant of :data:`VARIANTS` with one weight."""
        method, wider = VARIANTS[variant]
        known = self.known
        if variant in FADING:
            known = fading(known, FADING[variant])
        if method is Subspace:
            known = with_bases(known, self.teachers)
        start, umt = self.start(wider), method(weight=weight)
        return fit(start, umt, self.seen, self.validation, self.grid.training(self.n), known)

    @property
    def n(self) -> int:
        return self.train.y.shape[1]


VARIANTS: dict[str, tuple[type[UMT], int]] = {  # method, and times the width of the features
    "umt": (UMT, 1),
    "projected": (Projected, WIDER),
    "fading-half": (Fading, 1),
    "fading": (Fading, 1),
    "subspace": (Subspace, 1),
}
OWN_ZERO = ("umt", "projected")  # the others at weight 0 are "umt" at weight 0


def setup(chosen: Grid, cells: Sequence[Cell], seeds: Sequence[int]) -> Setup:
    """Data of every cell and seed (of one sample size), and the teachers trained on them."""
    data = stacked([chosen.data(cell, seed) for cell in cells for seed in seeds])
    starts = [cell.stream(seed) for cell in cells for seed in seeds]
    schedule = chosen.training(data.train.y.shape[1])
    seen, teachers = epochs(data.train, schedule), {}
    for m, x in data.train.x.items():
        alone = [[b._replace(x={m: b.x[m]}) for b in batches] for batches in seen]
        fresh = stack([initial(chosen, "linear", {m: tuple(x.shape[2:])}, s) for s in starts])
        teachers[m] = fit(fresh, Joint(), alone, only(data.validation, m), schedule)
    known = with_inputs(seen, features(teachers, data.train))
    return Setup(chosen, starts, *data, seen, teachers, known)


def distillation_cost(
    dataset: str,
    seeds: tuple[int, ...],
    uni: tuple[Unit, ...],
    paired: tuple[Unit, ...],
    weights: tuple[PositiveFloat, ...],
    few_weights: tuple[PositiveFloat, ...],
    n_train: PositiveInt = 2048,
    updates: PositiveInt = 480,
    learning_rate: PositiveFloat = 0.1,
    progress: bool = False,
) -> dict[str, Any]:
    """Every variant over the weight, with an MLP head, on all pairs of ``uni`` and ``paired``.

    Args:
        dataset: a key of ``regime_map.grid.GRIDS``, whose networks are used.
        weights: those of UMT; weight 0 is always there.
        few_weights: those of all other variants.
        updates, learning_rate: of every training. More and smaller steps than the map's: a large
            weight times a large step would diverge, which is no trade-off.

    Returns:
        ``cells`` [{"uni", "paired", "bayes", "ume" (the product rule) {"validation", "test": one
        accuracy per seed}, "variants" {name: [{"weight", "validation", "test", and
        "emap_gap" on the first GLIMPSE test samples}]}}], and the settings.

    Raises:
        StudyError: a data set without a map, or a training that diverged.
    """
    chosen = replace(grid(dataset), updates=updates, learning_rate=learning_rate)
    cells = [Cell(u, p, 0.0, n_train) for u in uni for p in paired]
    made = setup(chosen, cells, seeds)
    records: list[dict[str, Any]] = [
        {"uni": c.uni, "paired": c.paired, "bayes": c.bayes, "ume": {}, "variants": {}}
        for c in cells
    ]

    def shares(right: Sequence[int], n: int) -> list[list[float]]:
        """Counts by cell and seed -> per cell a share for each seed."""
        every = [count / n for count in right]
        return [every[i : i + len(seeds)] for i in range(0, len(every), len(seeds))]

    def scored(params: Params) -> list[dict[str, list[float]]]:
        found = {
            part: shares(_right(outputs(params, split).fused, split.y), split.y.shape[1])
            for part, split in (("validation", made.validation), ("test", made.test))
        }
        first = Split({m: x[:, :GLIMPSE] for m, x in made.test.x.items()}, made.test.y[:, :GLIMPSE])
        found["emap_gap"] = shares(emap_gap(params, first), first.y.shape[1])
        return [{key: value[i] for key, value in found.items()} for i in range(len(cells))]

    for part, split in (("validation", made.validation), ("test", made.test)):
        logs = [outputs(t, only(split, m)).fused.log_softmax(2) for m, t in made.teachers.items()]
        right = shares(_right(torch.stack(logs).sum(0), split.y), split.y.shape[1])
        for record, values in zip(records, right, strict=True):
            record["ume"][part] = values
    todo = [(v, w) for v in VARIANTS for w in (0.0, *(weights if v == "umt" else few_weights))]
    for variant, weight in tqdm(todo, desc=f"trade-off on {dataset}", disable=not progress):
        if weight == 0 and variant not in OWN_ZERO:
            found = [r["variants"]["umt"][0] for r in records]
        else:
            found = scored(made.fit(variant, weight))
        for record, values in zip(records, found, strict=True):
            record["variants"].setdefault(variant, []).append({**values, "weight": float(weight)})
    sizes = {"n_train": n_train, "n_validation": chosen.n_validation, "n_test": chosen.n_test}
    settings = {"updates": updates, "learning_rate": learning_rate, **sizes}
    return {"dataset": dataset, "seeds": list(seeds), **settings, "cells": records}
