"""What encoders keep of each feature of their inputs, after uni-modal, joint and other training.

The inputs of the generated worlds are blocks of eight columns, one per feature. The *kept share* of
a feature is the R2 with which a linear regression on the features of the encoder predicts the
leading principal components of its block, those whose variance is above the noise. It is fitted on
one half of the test split and measured on the other. It does not ask whether the feature shows the
label, so it holds for the parts of a pair and for a nuisance as well.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from umt_lib.data.synthetic import WIDTH
from umt_lib.errors import StudyError
from umt_lib.study.analyses.batched.fit import outputs
from umt_lib.study.analyses.regime_map.measure import best, explore, unimodal
from umt_lib.study.analyses.regime_map.strategies import TRAINED, Option
from umt_lib.study.analyses.regime_map.train import Chunk, Teachers
from umt_lib.study.analyses.regime_map.worlds import Axes
from umt_lib.study.analyses.regime_map.worlds import world as world_named
from umt_lib.study.analyses.values import TwoSeeds, Values

ABOVE = 2.0  # a component is kept if its variance is so many times that of the noise
KINDS = ("uni-modal", "paired")


def kept(features: Tensor, block: Tensor) -> Tensor:
    """The R2 (G,) of a linear regression of a block (G, n, 8) on features (G, n, d), held out."""
    target = torch.stack([leading(one) for one in block])
    known, held = slice(None, block.shape[1] // 2), slice(block.shape[1] // 2, None)
    x = torch.cat([features, torch.ones_like(features[..., :1])], 2).double()
    ridge = 1e-6 * torch.eye(x.shape[2], dtype=x.dtype)  # features that are never active
    a = x[:, known].mT @ x[:, known] + ridge
    fitted = x[:, held] @ torch.linalg.solve(a, x[:, known].mT @ target[:, known])
    truth = target[:, held]
    spread = (truth - truth.mean(1, keepdim=True)).square().sum((1, 2))
    return 1 - (truth - fitted).square().sum((1, 2)) / spread


def leading(block: Tensor) -> Tensor:
    """A block (n, 8) with only its principal components whose variance is above the noise.

    The noise is the third smallest variance: a feature has at most five directions.

    >>> block = torch.cat([3 * torch.eye(8)[:1].repeat(500, 1), torch.zeros(500, 8)])
    >>> noisy = block + 0.1 * torch.randn(1000, 8, generator=torch.Generator().manual_seed(0))
    >>> int(torch.linalg.matrix_rank(leading(noisy), atol=1e-6))
    1
    """
    centred = (block - block.mean(0)).double()
    variances, directions = torch.linalg.eigh(centred.mT @ centred / len(block))  # ascending
    chosen = directions[:, variances > ABOVE * variances[2]]
    return centred @ chosen @ chosen.mT


def map_features(
    world: str,
    dials: Axes,
    strategies: Values[str],
    tuning: TwoSeeds,
    report: TwoSeeds,
) -> dict[str, Any]:
    """The kept share of every kind of feature in every modality, in all cells of these dials.

    Learning rates and weights are chosen on the tuning seeds, as on the maps.

    Returns:
        ``cells`` [{"dials", "chosen" {strategy: option}, "kept" {strategy or "uni-modal":
        {modality: {kind: [for every report seed the mean share of the features]}}}, "test"
        {strategy: [accuracy of every report seed]}}].

    Raises:
        StudyError: the world, a dial or a strategy is unknown, or a modality has no blocks.
    """
    chosen = world_named(world)
    for name in strategies:
        if name not in TRAINED or TRAINED[name].start == "frozen":
            able = [other for other, one in TRAINED.items() if one.start != "frozen"]
            raise StudyError(
                f"strategy {name!r} is unknown or trains no encoders; give some of {able}"
            )
    records = []
    for cell in chosen.among(dials):
        _, tuned = explore(Chunk(chosen, [cell], tuning), strategies)
        options = {name: tried[best(tried)[0]].option for name, tried in tuned.items()}
        records.append({"dials": cell.dials, **_cell(Chunk(chosen, [cell], report), options)})
    settings = {"world": world, "tuning": list(tuning), "report": list(report)}
    return {**settings, "strategies": list(strategies), "cells": records}


def _cell(chunk: Chunk, options: dict[str, Option]) -> dict[str, Any]:
    """What is kept in one cell, with the chosen options of strategies and uni-modal models."""
    test = chunk.data.test
    teachers = Teachers(
        chunk,
        {m: chunk.fit_unimodal(m, chunk.of_seeds([options[unimodal(m)].rate])) for m in test.x},
    )
    encoded = {"uni-modal": teachers.splits.test.x}
    accuracy = {}
    for name, option in options.items():
        if name in TRAINED:
            params = teachers.fit(TRAINED[name], [option])
            out = outputs(params, test)
            encoded[name] = out.features
            accuracy[name] = chunk.accuracy({"test": out.fused}, "test")[0]
    return {
        "chosen": {name: option._asdict() for name, option in options.items()},
        "kept": {
            name: {m: _by_kind(chunk, z, test.x[m]) for m, z in features.items()}
            for name, features in encoded.items()
        },
        "test": accuracy,
    }


def _by_kind(chunk: Chunk, features: Tensor, x: Tensor) -> dict[str, list[float]]:
    """The kept share of uni-modal and of paired features of one modality, one per seed."""
    if x.dim() != 3 or x.shape[2] % WIDTH:
        raise StudyError("the inputs of this data set are not blocks of features; give another one")
    shares = [kept(features, block) for block in x.split(WIDTH, dim=2)]
    places = range(len(shares))
    paired = [places[i] for i in chunk.world.paired]
    by_kind = ([i for i in places if i not in paired], paired)
    return {
        kind: torch.stack([shares[i] for i in which]).mean(0).tolist()
        for kind, which in zip(KINDS, by_kind, strict=True)
    }
