"""MMPareto: two gradients made one that both losses can live with."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import minimize_scalar
from tiny import Bench, method
from torch.nn.functional import cross_entropy

from umt_lib.errors import StudyError
from umt_lib.methods.mmpareto import combined, inner, min_norm_weight


def split_gradients(bench: Bench, rows: tuple[int, int]) -> dict[str, tuple]:
    """{m: (g1, g2)}: what reaches encoder m from the fused loss and from its own."""
    model, batch = bench.start(method("joint-auxiliary")), bench.batch(*rows)
    out = model(batch.x)
    found = {}
    for m, encoder in model.encoders.items():
        losses = (out.fused, out.auxiliary[m])
        found[m] = tuple(
            torch.autograd.grad(cross_entropy(x, batch.y), encoder.parameters(), retain_graph=True)
            for x in losses
        )
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_weight_is_that_of_the_shortest_combination(seed):
    """Against a search by scipy, for gradients at obtuse and at acute angles."""
    stream = torch.Generator().manual_seed(seed)
    g1, common = (torch.randn(2, 5, generator=stream).double() for _ in range(2))
    g2 = torch.randn(2, 5, generator=stream).double() + (seed - 3) * common - seed * g1

    def norm(c: float) -> float:
        return (c * g1 + (1 - c) * g2).norm().item()

    best = minimize_scalar(norm, bounds=(0.001, 0.999), method="bounded", options={"xatol": 1e-10})
    c = min_norm_weight(list(g1), list(g2)).item()
    assert norm(c) <= best.fun + 1e-9
    assert c == pytest.approx(best.x, abs=1e-5)


def test_opposed_gradients_give_a_step_that_harms_neither_loss():
    g1 = [torch.tensor([1.0, 0.2]), torch.tensor([0.3])]
    g2 = [torch.tensor([-3.0, 0.6]), torch.tensor([0.1])]
    assert inner(g1, g2) < 0
    n, plain = combined(g1, g2), [a + b for a, b in zip(g1, g2, strict=True)]
    assert inner(plain, g1) < 0  # the plain sum does harm the first
    assert inner(n, g1) > 0
    assert inner(n, g2) > 0
    torch.testing.assert_close(inner(n, n), inner(plain, plain))  # rescaled up


@pytest.mark.parametrize("length", [0.0, -1.0, -4.0])
def test_no_direction_is_no_step_and_no_nan(length):
    """A zero gradient, and gradients exactly against each other: nothing is scaled up from 0."""
    g = torch.tensor([1.0, -2.0])
    zero = torch.zeros(2)
    for g1, g2 in ((zero, zero), (g, length * g), (length * g, g)):
        (n,) = combined([g1], [g2])
        assert n.isfinite().all()
        assert n.norm() <= (g1 + g2).norm() + 1e-6
    if length:
        (n,) = combined([g], [length * g])
        assert n.norm() < 1e-5


def test_where_losses_agree_gamma_1_is_joint_auxiliary():
    """And gamma scales the encoders alone; heads keep the plain gradient."""
    bench = Bench()
    assert all(inner(*pair) > 0 for pair in split_gradients(bench, (0, 12)).values())
    plain = bench.gradients(method("joint-auxiliary"))
    one, two = (bench.gradients(method("mmpareto", gamma=gamma)) for gamma in (1.0, 2.0))
    assert one.keys() == plain.keys()
    for name, gradient in one.items():
        torch.testing.assert_close(gradient, plain[name])
        times = 2 if name.startswith("encoders.") else 1
        torch.testing.assert_close(two[name], times * gradient)


def test_where_they_do_not_each_encoder_gets_its_own_combination():
    """The own heads turned round: now their gradients oppose the fused ones."""
    bench, pareto = Bench(), method("mmpareto")
    model, batch = bench.start(pareto), bench.batch()
    with torch.no_grad():
        for own, w in zip(model.auxiliary.values(), model.head.weights.values(), strict=True):
            own.weight.copy_(-2 * w)
    out, expected = model(batch.x), {}
    for m, encoder in model.encoders.items():
        g1, g2 = (
            torch.autograd.grad(cross_entropy(x, batch.y), encoder.parameters(), retain_graph=True)
            for x in (out.fused, out.auxiliary[m])
        )
        assert inner(g1, g2) < 0
        expected[m] = [1.5 * x for x in combined(g1, g2)]
    pareto.backward(model, out, batch)
    for m, encoder in model.encoders.items():
        for p, g in zip(encoder.parameters(), expected[m], strict=True):
            torch.testing.assert_close(p.grad, g)


def test_released_is_three_times_the_plain_gradient_of_the_one_head():
    """No own heads: the uni-modal losses are those of the parts of the fused logits."""
    bench, pareto = Bench(), method("mmpareto", released=True)
    model, batch = bench.start(pareto), bench.batch()
    assert not model.auxiliary
    pareto.backward(model, model(batch.x), batch)
    found = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    features = model(batch.x).features
    weights, bias = model.head.weights, model.head.bias
    parts = [features[m] @ w.T + bias / len(weights) for m, w in weights.items()]
    loss = cross_entropy(sum(parts), batch.y) + sum(cross_entropy(x, batch.y) for x in parts)
    loss.backward()
    for name, p in model.named_parameters():
        times = 3 if name.startswith("encoders.") else 1
        torch.testing.assert_close(found[name], times * p.grad, msg=name)


def test_released_needs_a_linear_head():
    with pytest.raises(StudyError, match="give head: linear"):
        Bench(head="mlp").start(method("mmpareto", released=True))
