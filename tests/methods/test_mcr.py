"""MCR: each modality is rewarded for what the prediction owes it."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method
from torch import Tensor
from torch.nn.functional import normalize

from umt_lib.losses import jensen_shannon


def test_no_game_and_no_contrast_is_joint_training_with_uni_modal_losses():
    bench = Bench(epochs=3, samples=60)
    plain = method("joint-auxiliary", weight=1.0)
    assert bench.alike(method("mcr", compete=0.0, contrast=0.0), plain)


def contrast(u: Tensor, v: Tensor, y: Tensor, temperature: float) -> Tensor:
    """The supervised contrastive loss of cosines, sample by sample."""
    cosines = normalize(u) @ normalize(v).T / temperature
    log_p = cosines - cosines.exp().sum(1, keepdim=True).log()
    return -torch.stack([row[y == c].mean() for row, c in zip(log_p, y, strict=True)]).mean()


@pytest.mark.parametrize("temperature", [0.1, 0.7])
@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_contrast_is_the_mean_over_pairs_of_modalities(modalities, temperature):
    """It is added to the loss, and its gradient to that of the encoders."""
    bench = Bench(modalities)
    strong = method("mcr", compete=0.0, contrast=2.0, temperature=temperature)
    model, batch = bench.start(strong), bench.batch()

    def after(mcr) -> tuple[Tensor, Tensor]:
        model.zero_grad()
        loss = mcr.backward(model, model(batch.x), batch)
        return loss.detach(), torch.cat([p.grad.flatten() for p in model.encoders.parameters()])

    plain, plain_gradient = after(method("mcr", compete=0.0, contrast=0.0))
    loss, gradient = after(strong)
    z = list(model(batch.x).features.values())
    pairs = [(u, v) for i, u in enumerate(z) for v in z[i + 1 :]]
    expected = sum(contrast(u, v, batch.y, temperature) for u, v in pairs) / len(pairs)
    torch.testing.assert_close(loss - plain, 2 * expected.detach())
    model.zero_grad()
    (2 * expected).backward()
    alone = torch.cat([p.grad.flatten() for p in model.encoders.parameters()])
    torch.testing.assert_close(gradient - plain_gradient, alone, atol=1e-5, rtol=1e-4)


def influence_gradients(k: int, m: str) -> dict[str, torch.Tensor]:
    bench, mcr = Bench(), method("mcr", k=k)
    model, batch = bench.start(mcr), bench.batch()
    out = model(batch.x)
    for z in out.features.values():
        z.retain_grad()
    torch.manual_seed(0)
    value = mcr.influence(model, out.features, m)
    assert -math.log(2) <= value.item() < 0
    value.backward()
    return {j: z.grad for j, z in out.features.items()}


def test_k_scales_the_gradient_of_the_other_encoders_and_not_the_own():
    found = {k: influence_gradients(k, "a") for k in (-1, 0, 1)}
    assert found[1]["a"].any()
    assert found[1]["b"].any()
    assert torch.equal(found[-1]["a"], found[1]["a"])
    assert torch.equal(found[0]["a"], found[1]["a"])
    torch.testing.assert_close(found[-1]["b"], -found[1]["b"])
    assert found[0]["b"] is None or not found[0]["b"].any()


def test_what_the_prediction_does_not_use_has_no_influence():
    bench, mcr = Bench(), method("mcr")
    model, batch = bench.start(mcr), bench.batch()
    torch.nn.init.zeros_(model.head.weights["b"])
    features = model(batch.x).features
    assert mcr.influence(model, features, "b").item() == pytest.approx(0, abs=1e-6)
    assert mcr.influence(model, features, "a").item() < -1e-4


def test_stronger_competition_makes_the_prediction_owe_more_to_each():
    bench = Bench(epochs=6)

    def owed(compete: float) -> float:
        mcr = method("mcr", compete=compete, contrast=0.0, k=1)
        model, _ = bench.train(mcr)
        features = model(bench.splits.test.x).features
        torch.manual_seed(0)
        return -sum(mcr.influence(model, features, m).item() for m in features)

    assert owed(3.0) > owed(0.0) + 0.02


def test_influence_is_the_mean_divergence_over_the_draws_and_both_sides_learn():
    bench, mcr = Bench(), method("mcr", draws=3, k=1)
    model, batch = bench.start(mcr), bench.batch()
    out, each = model(batch.x), []
    torch.manual_seed(4)
    found = mcr.influence(model, out.features, "a")
    torch.manual_seed(4)
    for _ in range(3):
        moved = {**out.features, "a": out.features["a"][torch.randperm(12)]}
        each.append(-jensen_shannon(out.fused, model.fuse(moved).fused))
    expected, z = torch.stack(each).mean(), list(out.features.values())
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(x, z, retain_graph=True) for x in (found, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_the_gradient_has_that_of_the_influence_of_every_modality(modalities):
    bench, strong = Bench(modalities), method("mcr", compete=0.7, contrast=0.0)
    model, batch = bench.start(strong), bench.batch()

    def after(mcr) -> dict[str, Tensor]:
        model.zero_grad()
        torch.manual_seed(3)
        mcr.backward(model, model(batch.x), batch)
        return {name: p.grad.clone() for name, p in model.named_parameters()}

    found, plain = after(strong), after(method("mcr", compete=0.0, contrast=0.0))
    model.zero_grad()
    features = model(batch.x).features
    torch.manual_seed(3)
    (0.7 * sum(strong.influence(model, features, m) for m in modalities)).backward()
    for name, p in model.named_parameters():
        if not name.startswith("auxiliary."):
            added = found[name] - plain[name]
            torch.testing.assert_close(added, p.grad, atol=1e-6, rtol=1e-4, msg=name)
    assert all(p.grad.any() for p in model.encoders.parameters())
