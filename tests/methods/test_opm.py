"""OPM: features of the modality that is ahead are dropped, in training only."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method

from umt_lib.models import Output


def told(**s: float) -> tuple[Output, torch.Tensor]:
    """An output of two classes and one sample in which modality m gives the truth ``s[m]``."""
    logits = {m: torch.tensor([[p, 1 - p]]).log() for m, p in s.items()}
    return Output({}, torch.zeros(1, 2), logits, {}), torch.tensor([0])


@pytest.mark.parametrize("off", [{"execute": 0.0}, {"base": 0.0, "execute": 1.0}])
def test_nothing_dropped_is_joint_training(off):
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    assert bench.alike(method("opm", **off), method("joint"))


def test_probabilities_grow_with_the_lead_and_the_last_is_never_dropped():
    opm = method("opm", base=0.5, more=0.5)
    q = opm.probabilities(*told(a=0.8, b=0.4))
    assert q["a"].item() == pytest.approx(0.5 * (1 + 0.5 * math.tanh(1)))
    assert q["b"] == 0
    q = opm.probabilities(*told(a=0.9, b=0.5, c=0.1))
    assert q["a"].item() == pytest.approx(0.5 * (1 + 0.5 * math.tanh(2)))
    assert (q["b"].item(), q["c"].item()) == (0, 0)
    assert method("opm", base=0.9, more=5.0).probabilities(*told(a=0.9, b=0.1))["a"] == 1
    assert not any(opm.probabilities(*told(a=0.4, b=0.4)).values())


def test_features_are_whole_or_gone_and_scaled_by_what_is_lost_on_average():
    torch.manual_seed(0)
    out, y = told(a=0.8, b=0.4)
    z = {"a": torch.ones(4000, 6), "b": torch.ones(4000, 2)}
    opm = method("opm", base=0.5, more=0.0)
    dropped = opm.dropped(out._replace(features=z), y)
    theta = 6 * 0.5 / 8
    gone = (dropped["a"] == 0).all(1)
    assert gone.float().mean().item() == pytest.approx(0.5, abs=0.03)
    torch.testing.assert_close(dropped["a"][~gone], z["a"][~gone] / (1 - theta))
    torch.testing.assert_close(dropped["b"], z["b"] / (1 - theta))


def test_a_modality_that_is_always_dropped_learns_nothing():
    """Of the encoders only that of the modality ahead is held back; the other learns more."""
    bench = Bench()
    model, batch = bench.start(method("joint")), bench.batch()
    right = {m: x.softmax(1)[range(12), batch.y].mean() for m, x in model(batch.x).unimodal.items()}
    first, second = sorted(right, key=right.get, reverse=True)
    gradients = bench.gradients(method("opm", base=1.0, more=0.0, execute=1.0))
    for name, g in gradients.items():
        assert g.any() == (first not in name.split(".")), name
    joint = bench.gradients(method("joint"))
    name = f"encoders.{second}.1.weight"
    assert not torch.allclose(gradients[name], joint[name])


def test_features_are_dropped_in_the_given_share_of_batches(monkeypatch):
    bench, opm, dropped = Bench(), method("opm", execute=0.3), []
    model, batch = bench.start(opm), bench.batch()
    monkeypatch.setattr(opm, "dropped", lambda out, y: dropped.append(1) or out.features)
    torch.manual_seed(0)
    for _ in range(400):
        opm.backward(model, model(batch.x), batch)
    assert len(dropped) / 400 == pytest.approx(0.3, abs=0.07)
