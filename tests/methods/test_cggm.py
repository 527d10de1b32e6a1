"""CGGM: encoders are held back by their own progress, and steered by their own classifiers."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cosine_similarity, cross_entropy

from umt_lib.errors import StudyError
from umt_lib.methods.cggm import balances, head_gradient


def test_equal_progress_rho_2_and_no_direction_is_joint_training():
    """Two modalities, the first batch: the gradients of encoders and head, bit for bit."""
    bench = Bench(encoder="series-cnn")
    cggm = bench.gradients(method("cggm", rho=2.0, direction=0.0))
    joint = bench.gradients(method("joint"))
    assert set(cggm) - set(joint) == {
        f"auxiliary.{m}.{p}" for m in "ab" for p in ("weight", "bias")
    }
    assert all(torch.equal(cggm[name], gradient) for name, gradient in joint.items())


def test_a_modality_that_gains_is_held_back_and_the_heads_are_not():
    bench, gradients = Bench(), {}
    for case in ("even", "a gains"):
        cggm = method("cggm", rho=2.0, direction=0.0)
        model, batch = bench.start(cggm), bench.batch()
        out = model(batch.x)
        right = {m: (x.argmax(1) == batch.y).float().mean() for m, x in out.auxiliary.items()}
        if case == "a gains":
            cggm.before = torch.stack([right["a"] - 0.3, right["b"] - 0.1])
        cggm.backward(model, out, batch)
        gradients[case] = {n: p.grad for n, p in model.named_parameters()}
    for name, g in gradients["even"].items():
        times = {"encoders.a": 0.5, "encoders.b": 1.5}.get(name[:10], 1.0)
        torch.testing.assert_close(gradients["a gains"][name], times * g)


@pytest.mark.parametrize(
    "gains", [[0.1, 0.3], [-0.2, 0.1], [-0.1, -0.1], [0.0, 0.0], [1.0, 0.0, 0.0]]
)
def test_balances_share_a_constant_sum_and_stay_in_range(gains):
    b = balances(torch.tensor(gains), rho=1.5)
    assert b.sum().item() == pytest.approx(1.5 * (len(gains) - 1))
    assert ((b >= 0) & (b <= 1.5)).all()


def test_the_direction_gradient_is_that_of_the_heads_weights():
    bench = Bench()
    model, batch = bench.start(method("cggm")), bench.batch()
    out = model(batch.x)
    for logits, weight in (
        (out.fused, model.head.weights["a"]),
        (out.auxiliary["a"], model.auxiliary["a"].weight),
    ):
        (g,) = torch.autograd.grad(cross_entropy(logits, batch.y), weight, retain_graph=True)
        mine = head_gradient(logits, out.features["a"], batch.y)
        torch.testing.assert_close(mine.view_as(g), g)


def test_direction_bends_features_and_leaves_the_classifiers_alone():
    bench = Bench()
    none, some = (bench.gradients(method("cggm", direction=d)) for d in (0.0, 5.0))
    for name, g in none.items():
        assert torch.equal(g, some[name]) == name.startswith("auxiliary."), name

    model, batch = bench.start(method("cggm")), bench.batch()

    def agreement() -> float:
        out = model(batch.x)
        pairs = [
            (head_gradient(out.auxiliary[m], z, batch.y), head_gradient(out.fused, z, batch.y))
            for m, z in out.features.items()
        ]
        return sum(cosine_similarity(a, b, 0).item() for a, b in pairs)

    before = agreement()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p -= 0.01 * (some[name] - none[name])
    assert agreement() > before


def test_the_classifiers_only_watch():
    """An encoder gets nothing from its classifier's loss."""
    bench = Bench()
    cggm = method("cggm", direction=0.0)
    model, batch = bench.start(cggm), bench.batch()
    with torch.no_grad():
        for own in model.auxiliary.values():
            own.weight.mul_(50.0)
    cggm.backward(model, model(batch.x), batch)
    joint = bench.gradients(method("joint"))
    watched = dict(model.named_parameters())
    assert all(torch.equal(watched[n].grad, g) for n, g in joint.items())


def test_released_trains_encoders_by_the_classifiers_and_aligns_weights():
    bench = Bench()
    cggm = method("cggm", rho=2.0, direction=0.5, released=True)
    found = bench.gradients(cggm)
    model, batch = bench.start(method("cggm")), bench.batch()
    out = model(batch.x)
    loss = cross_entropy(out.fused, batch.y)
    loss = loss + sum(cross_entropy(own, batch.y) for own in out.auxiliary.values())
    for m, own in model.auxiliary.items():
        cosine = cosine_similarity(own.weight.flatten(), model.head.weights[m].flatten(), 0)
        loss = loss + 0.5 / 2 * (1 - cosine)  # B is 1 for the first batch
    loss.backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(found[name], p.grad, msg=name)


def test_released_needs_a_linear_head():
    with pytest.raises(StudyError, match="give head: linear"):
        Bench(head="mlp").start(method("cggm", released=True))
