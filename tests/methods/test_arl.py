"""ARL: the encoder of the surer modality gets the larger gradient."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy

from umt_lib.methods.arl import coefficients


def test_switched_off_it_is_joint_training():
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    assert bench.alike(method("arl", warmup=1.0, gamma=0.0), method("joint"))
    assert not bench.alike(method("arl", warmup=0.5, gamma=0.0), method("joint"))


def expected(a: torch.Tensor, b: torch.Tensor, T: float) -> tuple[float, float]:
    """Of main_arl_variance.py for two modalities, in its own order of steps."""
    sizes = [x.abs().mean(0).sum().item() for x in (a, b)]
    sizes = [s / sum(sizes) for s in sizes]
    p = [x.softmax(1) for x in (a, b)]
    H = [-(q * (q + 1e-16).log()).sum(1).mean().item() for q in p]
    H = [max(h / sum(H), 0.3) for h in H]
    sure = [1 / h for h in H]
    sure = [s / sum(sure) for s in sure]
    e = [math.exp(T * sizes[1] * sure[0]), math.exp(T * sizes[0] * sure[1])]
    return e[0] / sum(e), e[1] / sum(e)


@pytest.mark.parametrize("scale", [0.01, 1.0, 40.0])
def test_coefficients_for_two_modalities_are_those_of_the_released_code(scale):
    """With 40 a is so sure that its share of the entropy is below 0.3, and yet it is slower."""
    stream = torch.Generator().manual_seed(1)
    a, b = torch.randn(2, 20, 4, generator=stream)
    found = coefficients(torch.stack([scale * a, b]), 8.0)
    assert found.tolist() == pytest.approx(expected(scale * a, b, 8.0), rel=1e-4)
    assert (found[0] > found[1]) == (scale <= 1)


def test_of_two_modalities_with_logits_of_one_size_the_surer_is_faster():
    sure, unsure = torch.tensor([[3.0, 0.0, 0.0]]), torch.tensor([[1.0, 1.0, 1.0]])
    c = coefficients(torch.stack([sure, unsure]), 4.0)
    assert c[0] > 0.6
    even = coefficients(torch.stack([sure, sure, sure]), 4.0)
    torch.testing.assert_close(even, torch.full((3,), 1 / 3))
    certain = torch.tensor([[900.0, 0.0, 0.0]])  # its entropy is 0 in single precision
    for same in (certain, torch.zeros(1, 3)):
        torch.testing.assert_close(
            coefficients(torch.stack([same, same]), 4.0), torch.full((2,), 0.5)
        )


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_encoder_gradients_are_scaled_and_the_head_gets_the_plain_ones(modalities):
    bench, arl = Bench(modalities), method("arl", warmup=0.0, gamma=4.0, temperature=8.0)
    model, batch = bench.start(arl), bench.batch()
    out = model(batch.x)
    arl.backward(model, out, batch)
    found = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    out = model(batch.x)
    c = coefficients(torch.stack(tuple(out.unimodal.values())).detach(), 8.0)
    assert len(set(c.tolist())) == len(modalities)
    own = sum(cross_entropy(x, batch.y) for x in out.unimodal.values())
    (cross_entropy(out.fused, batch.y) + 4.0 * own).backward()
    for name, p in model.named_parameters():
        part, m = name.split(".")[:2]
        times = 1 + c[modalities.index(m)] if part == "encoders" else 1.0
        torch.testing.assert_close(found[name], times * p.grad, msg=name)


def test_in_the_warmup_all_encoders_are_alike_and_gamma_is_1():
    bench, arl = Bench(), method("arl", warmup=0.5, gamma=4.0)
    model, batch = bench.start(arl), bench.batch()
    seen = []
    for epoch in range(4):
        arl.on_epoch(model, epoch, 4)
        out = model(batch.x)
        own = sum(cross_entropy(x, batch.y) for x in out.unimodal.values())
        weight = (arl.loss(out, batch) - cross_entropy(out.fused, batch.y)) / own
        seen.append((arl.acts, round(weight.item(), 4)))
    assert seen == [(False, 1.0), (False, 1.0), (True, 4.0), (True, 4.0)]


def test_of_three_a_share_of_the_entropy_counts_as_a_fifth_at_least():
    """The coefficients as the module writes them; a is surer than that."""
    logits = torch.randn(3, 20, 4, generator=torch.Generator().manual_seed(1))
    logits[0] *= 8
    p = logits.softmax(2)
    H = -(p * p.log()).sum(2).mean(1)
    assert H[0] / H.sum() < 0.2 < (H / H.sum())[1:].min()
    sure = 1 / (H / H.sum()).clamp_min(0.2)
    size = logits.abs().mean((1, 2))
    expected = (4.0 * sure / sure.sum() * (1 - size / size.sum())).softmax(0)
    torch.testing.assert_close(coefficients(logits, 4.0), expected)
