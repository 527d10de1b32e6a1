"""A nuisance that both modalities share: encoders trained alone drop it, the inputs show it."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from umt_lib import models
from umt_lib.data.splits import Split, Splits
from umt_lib.evaluation.metrics import accuracy
from umt_lib.guide import components, recommend
from umt_lib.guide.recommendation import INTERACTIONS, UMT
from umt_lib.guide.verdict import deciding
from umt_lib.methods import Joint, Unimodal
from umt_lib.models.inference import outputs
from umt_lib.training import Training, fit

CLASSES, HIDDEN, WIDTH = 4, 4, 8
RHO = 2.0  # size of the nuisance; that of the class signal is 1
RELIABILITY = 0.5  # of what each modality says alone
ENCODER = {"name": "mlp", "hidden": 64, "dim": 32}
TRAINING = Training(epochs=15, batch_size=64, learning_rate=0.05)


def world(seed: int = 0) -> Splits:
    """a holds class signal + nuisance, b the nuisance alone, both through random maps."""
    rng = np.random.default_rng(seed)
    signal = 1.5 * rng.normal(size=(CLASSES, HIDDEN)) / np.sqrt(HIDDEN)
    maps = {m: rng.normal(size=(HIDDEN, WIDTH)) for m in "ab"}
    codes = {m: rng.normal(size=(CLASSES, WIDTH)) for m in "ab"}

    def split(n: int) -> Split:
        y, nuisance = rng.integers(CLASSES, size=n), RHO * rng.normal(size=(n, HIDDEN))
        shown = {"a": (signal[y] + nuisance) @ maps["a"], "b": nuisance @ maps["b"]}
        x = {}
        for m, pair in shown.items():
            own = np.where(rng.random(n) < RELIABILITY, y, rng.integers(CLASSES, size=n))
            alone = codes[m][own] + 0.3 * rng.normal(size=(n, WIDTH))
            noisy = pair + 0.1 * rng.normal(size=pair.shape)
            x[m] = torch.from_numpy(np.hstack([noisy, alone])).float()
        return Split(x, torch.from_numpy(y))

    return Splits(split(1600), split(800), split(1600), tuple("wxyz"))


@pytest.fixture(scope="module")
def trained():
    """The world, validation features of encoders trained alone, test accuracy of UME and joint."""
    splits = world()
    make = partial(models.build, head={"name": "linear"}, classes=CLASSES)
    features, logs = {}, 0.0
    for m in splits.modalities:
        torch.manual_seed(1)
        model = make({m: ENCODER}, shapes=splits.shapes)
        fit(model, Unimodal(modality=m), splits, TRAINING, seed=0)
        features[m] = outputs(model, splits.validation).features[m].numpy()
        logs = logs + outputs(model, splits.test).fused.log_softmax(1)
    torch.manual_seed(0)
    joint = make(dict.fromkeys("ab", ENCODER), shapes=splits.shapes)
    fit(joint, Joint(), splits, TRAINING, seed=0)
    tested = [accuracy(z, splits.test.y) for z in (logs, outputs(joint, splits.test).fused)]
    return splits, features, tested


def test_inputs_show_a_shared_nuisance_that_features_lack(trained, monkeypatch, impatient):
    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", 1)
    splits, features, (ume, joint) = trained
    assert joint > ume + 0.1  # the direct experiment, with a linear head
    y = splits.validation.y.numpy()
    alone = recommend(features, y, folds=3)
    assert alone.verdict != INTERACTIONS
    assert any("features alone cannot tell" in w for w in alone.warnings)
    extra = components.of_inputs(splits.train.x, splits.validation.x)
    found = recommend(features, y, folds=3, extra=extra)
    assert found.verdict in {UMT, INTERACTIONS}
    linear = found.competitors["frozen linear head"].accuracy
    assert linear.mean > alone.ranking["frozen linear head"].accuracy.mean + 0.05
    assert found.causes["paired features that a linear head can use"].accuracy.low > 0.05
    assert "a linear head can use" in found.reason or "sees modalities together" in found.reason
    assert not any("features alone cannot tell" in w for w in found.warnings)


def test_only_a_gain_over_the_features_counts(trained, impatient):
    """A linear head that beats UME only because extra columns harm UME is no reason."""
    splits, features, _ = trained
    y = splits.validation.y.numpy()
    plain = recommend(features, y, folds=2)
    best = next(iter(plain.ranking.values())).accuracy

    def chosen(gain: float):
        moved = best._replace(mean=best.mean + gain)
        linear = plain.competitors["frozen linear head"]._replace(accuracy=moved)
        competitors = {**plain.competitors, "frozen linear head": linear}
        return deciding(plain, replace(plain, verdict=UMT, competitors=competitors))

    assert chosen(0.02).verdict == UMT
    assert "trained on one modality do not keep" in chosen(0.02).reason
    assert chosen(-0.02) is plain
