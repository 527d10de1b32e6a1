"""OGM: encoder gradients of the modality that is ahead are scaled down, and nothing else."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method, same


def shares(bench: Bench) -> dict[str, float]:
    """s_m of the bench's batch at the start."""
    model, batch = bench.start(method("joint")), bench.batch()
    logits = model(batch.x).unimodal
    return {
        m: sum(x.softmax(1)[i, y].item() for i, y in enumerate(batch.y)) / len(batch.y)
        for m, x in logits.items()
    }


def test_strength_0_is_joint_training():
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    assert bench.alike(method("ogm", alpha=0.0), method("joint"))


@pytest.mark.parametrize(
    ("encoder", "scaled"), [("series-cnn", 4), ("image-cnn", 4), ("mlp", 2)], ids=lambda x: str(x)
)
def test_kernels_of_the_modality_ahead_are_scaled_and_nothing_else(encoder, scaled):
    """Convolutions where there are any (``scaled`` dimensions), weight matrices elsewhere."""
    bench = Bench(encoder=encoder)
    s = shares(bench)
    first, second = sorted(s, key=s.get, reverse=True)
    k = 1 - math.tanh(0.3 * s[first] / s[second])
    assert k < 1 - math.tanh(0.3)  # the argument is rho itself: k jumps where rho passes 1
    joint, ogm = (bench.gradients(m) for m in (method("joint"), method("ogm", alpha=0.3)))
    changed = 0
    for name, g in joint.items():
        if name.startswith(f"encoders.{first}") and g.ndim == scaled:
            torch.testing.assert_close(ogm[name], k * g)
            changed += 1
        else:
            assert torch.equal(ogm[name], g), name
    assert changed == 2


def test_of_modalities_that_are_level_none_is_scaled():
    """k = 1 at a ratio of 1, and jumps above."""
    bench = Bench()
    for part in (bench.splits.train, bench.splits.validation):
        part.x["b"] = part.x["a"]
    found = {}
    for name in ("joint", "ogm"):
        m = method(name)
        model, batch = bench.start(m), bench.batch()
        model.encoders["b"].load_state_dict(model.encoders["a"].state_dict())
        model.head.weights["b"].data.copy_(model.head.weights["a"].data)
        m.backward(model, model(batch.x), batch)
        found[name] = {n: p.grad for n, p in model.named_parameters()}
    assert same(found["ogm"], found["joint"])


def test_of_three_the_ratio_is_to_the_mean_of_the_others():
    bench = Bench(("sight", "sound", "touch"))
    s = shares(bench)
    joint, ogm = (bench.gradients(m) for m in (method("joint"), method("ogm", alpha=0.3)))
    for m in s:
        rho = s[m] / (sum(s[j] for j in s if j != m) / 2)
        name = f"encoders.{m}.1.weight"
        k = 1 - math.tanh(0.3 * rho) if rho > 1 else 1
        torch.testing.assert_close(ogm[name], k * joint[name])


def test_it_acts_from_the_first_to_the_last_epoch_given():
    bench = Bench()
    joint = bench.gradients(method("joint"))
    for first, last, acting in ((0, None, {0, 1, 2, 3}), (1, 2, {1, 2})):
        ogm = method("ogm", first=first, last=last)
        model, batch = bench.start(ogm), bench.batch()
        found = set()
        for epoch in range(4):
            assert ogm.on_epoch(model, epoch, 4) == 0
            model.zero_grad()
            ogm.backward(model, model(batch.x), batch)
            if not same({n: p.grad for n, p in model.named_parameters()}, joint):
                found.add(epoch)
        assert found == acting
