"""MLB: the encoder that is ahead learns slower, the one behind faster, heads as ever."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method, same


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_strength_0_is_joint_auxiliary(head):
    bench = Bench(encoder="series-cnn", head=head, epochs=3, samples=60)
    assert bench.alike(method("mlb", alpha=0.0), method("joint-auxiliary"))


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_encoder_gradients_are_scaled_by_the_ratio_and_heads_are_not(modalities):
    bench = Bench(modalities)
    model, batch = bench.start(method("mlb")), bench.batch()
    own = model(batch.x).auxiliary
    s = {m: x.softmax(1)[range(12), batch.y].mean().item() for m, x in own.items()}
    rest = {m: sum(v for j, v in s.items() if j != m) / (len(s) - 1) for m in s}
    k = {m: 1 + math.tanh(2 * (rest[m] / s[m] - 1)) for m in s}
    assert k[max(s, key=s.get)] < 1 < k[min(s, key=s.get)]
    plain, mlb = (bench.gradients(m) for m in (method("joint-auxiliary"), method("mlb", alpha=2.0)))
    assert plain.keys() == mlb.keys()
    for name, g in plain.items():
        part, m = name.split(".")[:2]
        if part == "encoders":
            torch.testing.assert_close(mlb[name], k[m] * g)
        else:
            assert torch.equal(mlb[name], g), name


def test_modalities_that_are_as_good_are_left_alone():
    """Own heads that say nothing, all alike: k is 1 whatever alpha."""
    gradients = []
    for m in (method("joint-auxiliary"), method("mlb", alpha=9.0)):
        bench = Bench(encoder="series-cnn")
        model, batch = bench.start(m), bench.batch()
        with torch.no_grad():
            for own in model.auxiliary.values():
                own.weight.zero_()
                own.bias.zero_()
        m.backward(model, model(batch.x), batch)
        gradients.append({n: p.grad for n, p in model.named_parameters()})
    assert same(*gradients)
