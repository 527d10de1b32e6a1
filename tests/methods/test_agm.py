"""AGM: gradients through each modality's contribution, in step with its own past."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, copied, method
from torch.nn.functional import cross_entropy

from umt_lib.methods.agm import ahead, blanks, contributions


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_strength_0_is_joint_training(head):
    """Weights and batch statistics: encoders that see zeros do not remember it."""
    bench = Bench(encoder="series-cnn", head=head, epochs=3, samples=60)
    assert bench.alike(method("agm", alpha=0.0), method("joint"))


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_contributions_are_shapley_values_and_sum_to_the_prediction(modalities):
    bench = Bench(modalities, head="mlp")
    model, batch = bench.start(method("agm")), bench.batch()
    out, zero = model(batch.x), blanks(model, batch.x)
    phi = contributions(model, out.features, zero)
    torch.testing.assert_close(phi.sum(0), out.fused)
    if len(modalities) == 2:
        nothing = {m: torch.zeros_like(x) for m, x in batch.x.items()}
        without = model({**batch.x, "a": nothing["a"]}).fused
        only = model({**batch.x, "b": nothing["b"]}).fused
        torch.testing.assert_close(phi[0], (out.fused - without + only) / 2)
    else:  # one that the head does not look at contributes nothing, in any company
        with torch.no_grad():
            model.head.layers[0].weight[:, -6:] = 0
        phi = contributions(model, out.features, zero)
        torch.testing.assert_close(phi[2], model.fuse({**zero}).fused.expand_as(phi[2]) / 3)


def test_gradients_are_those_through_each_contribution_times_kappa():
    bench, agm = Bench(head="mlp"), method("agm", alpha=0.7)
    model, batch = bench.start(agm), bench.batch()
    agm.mean, agm.batches = torch.tensor([0.3, 1.9]), torch.tensor(4.0)
    kept = copied(agm.state())
    zeros = {m: torch.zeros_like(x) for m, x in batch.x.items()}
    both, only_a, only_b = (
        model({**zeros, **{m: batch.x[m] for m in present}}).fused for present in ("ab", "a", "b")
    )
    phi = torch.stack([both - only_b + only_a, both - only_a + only_b]) / 2
    kappa = agm.kappa(phi.detach(), batch.y)
    assert (kappa - 1).abs().min() > 0.1
    logits = phi.sum(0).detach().requires_grad_()
    (error,) = torch.autograd.grad(cross_entropy(logits, batch.y), logits)
    ((kappa.detach()[:, None, None] * phi) * error).sum().backward()
    expected = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    agm.mean, agm.batches = kept["mean"], kept["batches"]
    loss = agm.backward(model, model(batch.x), batch)
    torch.testing.assert_close(loss, cross_entropy(logits, batch.y))
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, expected[name])


def test_a_modality_ahead_of_its_own_past_is_slowed_down():
    """By exp(alpha (R - r)), r and R of cross-entropies now and on average; the first batch not."""
    agm, y = method("agm", alpha=0.5), torch.tensor([0])
    agm.start(Bench().make(), type("Setting", (), {"train": Bench().splits.train}))

    def told(*right: float) -> torch.Tensor:
        return torch.stack([torch.tensor([[p, 1 - p]]).log() for p in right])

    assert agm.kappa(told(0.5, 0.5), y).tolist() == [1, 1]
    kappa = agm.kappa(told(0.8, 0.4), y)
    mean = [-math.log(p) / 2 - math.log(0.5) / 2 for p in (0.8, 0.4)]
    expected = [
        math.exp(0.5 * (math.exp(mean[1 - m] - mean[m]) - own))
        for m, own in enumerate((0.8 / 0.4, 0.4 / 0.8))
    ]
    assert kappa.tolist() == pytest.approx(expected)
    assert kappa[0] < 1 < kappa[1]
    assert agm.kappa(told(1e-30, 1.0), y).isfinite().all()
    assert agm.kappa(told(1.0, 1e-30), y).isfinite().all()


def test_the_exponent_is_at_most_ten_times_alpha():
    """Where the lead was far larger on average than it is now; below that it is not changed."""
    agm, equal = method("agm", alpha=0.5), torch.zeros(2, 1, 4)
    for lead, exponent in ((1.0, math.e - 1), (3.0, 10.0), (8.0, 10.0)):
        agm.mean, agm.batches = torch.tensor([0.0, lead]), torch.tensor(1e9)
        kappa = agm.kappa(equal, torch.tensor([0]))
        assert kappa[0].item() == pytest.approx(math.exp(0.5 * exponent), rel=1e-4)


def test_of_three_the_lead_is_over_the_mean_of_the_others():
    found = ahead(torch.tensor([0.2, 0.5, 1.1]))
    expected = [math.exp(0.8 - 0.2), math.exp(0.65 - 0.5), math.exp(0.35 - 1.1)]
    assert found.tolist() == pytest.approx(expected)


def test_a_probability_below_1e_8_counts_as_1e_8():
    agm = method("agm")
    agm.start(Bench().make(), type("Setting", (), {"train": Bench().splits.train}))
    agm.kappa(torch.tensor([[[-40.0, 0.0]], [[0.0, 0.0]]]), torch.tensor([0]))
    assert agm.mean.tolist() == pytest.approx([-math.log(1e-8), math.log(2)])
