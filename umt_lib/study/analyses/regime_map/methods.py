"""Train all methods on many cells and seeds at once, and measure their accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from umt_lib.data.splits import Split
from umt_lib.methods.joint import Joint
from umt_lib.methods.ume import UME
from umt_lib.methods.umt import UMT
from umt_lib.models import LateFusion, Output, build
from umt_lib.study.analyses.batched.fit import (
    epochs,
    features,
    fit,
    fit_teachers,
    only,
    outputs,
    with_inputs,
)
from umt_lib.study.analyses.batched.networks import Params, Stack, stack, stacked
from umt_lib.study.analyses.regime_map.grid import CLASSES, Cell, Grid

WEIGHTS = (0.1, 1.0, 10.0)  # of UMT; weight 0 is joint training
RULES: tuple[Literal["mean", "product"], ...] = ("mean", "product")  # of UME


class Trained(NamedTuple):
    """The models trained on one chunk of cells, stacked by variant, and their data."""

    data: Stack
    teachers: dict[str, Params]  # {m: uni-modal models}
    models: dict[str, Params]  # {variant: joint models, or their heads for frozen encoders}


def train(grid: Grid, cells: Sequence[Cell], seeds: Sequence[int]) -> Trained:
    """Train every method on every cell and seed; the cells must have the same sample size.

    The model axis runs over cells, then seeds. All methods of a cell and seed have the same data
    and the same initialisation of encoders, as in the experiments; uni-modal models have another.
    """
    streams = [(cell, seed) for cell in cells for seed in seeds]
    data = stacked([grid.data(cell, seed) for cell, seed in streams])
    starts = [cell.stream(seed) for cell, seed in streams]
    shapes = {m: tuple(x.shape[2:]) for m, x in data.train.x.items()}
    schedule = grid.training(data.train.y.shape[1])
    batches, validation = epochs(data.train, schedule), data.validation

    def unimodal(m: str, starts: list[int]) -> Params:
        return stack([initial(grid, "linear", {m: shapes[m]}, s) for s in starts])

    teachers = fit_teachers(unimodal, starts, batches, validation, schedule)
    targets = with_inputs(batches, features(teachers, data.train))
    frozen_validation = Split(features(teachers, validation), validation.y)
    models = {}
    for head in grid.heads:
        start = stack([initial(grid, head, shapes, s) for s in starts])
        models[f"joint-{head}"] = fit(start, Joint(), batches, validation, schedule)
        for weight in WEIGHTS:
            umt = fit(start, UMT(weight=weight), batches, validation, schedule, targets=targets)
            models[f"umt-{head}@{weight:g}"] = umt
        own = {name: value for name, value in start.items() if name.startswith("head")}
        models[f"frozen-{head}"] = fit(own, Joint(), targets, frozen_validation, schedule)
    return Trained(data, teachers, models)


def initial(grid: Grid, head: str, shapes: dict[str, tuple[int, ...]], start: int) -> LateFusion:
    """A newly initialised model with the sizes of the grid; ``start`` is its seed."""
    torch.manual_seed(start)
    return build(dict.fromkeys(shapes, grid.encoder), grid.heads[head], shapes, CLASSES)


def predictions(trained: Trained, split: Split) -> dict[str, Tensor]:
    """Logits (G, n, K) of every variant on ``split``, uni-modal models included."""
    unimodal = {m: outputs(t, only(split, m)) for m, t in trained.teachers.items()}
    logs = {m: out.fused.log_softmax(2) for m, out in unimodal.items()}
    ensemble = Output({}, torch.stack(tuple(logs.values())).sum(0), logs, {})
    made = {f"alone-{m}": log for m, log in logs.items()}
    made |= {f"ume-{rule}": UME(rule=rule).predict(ensemble) for rule in RULES}
    frozen = Split({m: out.features[m] for m, out in unimodal.items()}, split.y)
    for name, params in trained.models.items():
        inputs = frozen if name.startswith("frozen") else split
        made[name] = outputs(params, inputs).fused
    return made


def measure(
    grid: Grid, cells: Sequence[Cell], seeds: Sequence[int]
) -> list[dict[str, dict[str, list[float]]]]:
    """{"validation": {variant: [accuracy per seed]}, "test": ...} for each cell."""
    trained = train(grid, cells, seeds)
    records: list[dict[str, dict[str, list[float]]]] = [{} for _ in cells]
    for part in ("validation", "test"):
        split = getattr(trained.data, part)
        for name, logits in predictions(trained, split).items():
            right = (logits.argmax(2) == split.y).sum(1).view(len(cells), len(seeds))
            for record, counts in zip(records, right.tolist(), strict=True):
                record.setdefault(part, {})[name] = [c / split.y.shape[1] for c in counts]
    return records
