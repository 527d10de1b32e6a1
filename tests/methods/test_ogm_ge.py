"""OGM-GE: OGM, and noise as large as the gradient itself on every encoder."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, method


def test_epochs_that_do_not_modulate_are_joint_training():
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    assert bench.alike(method("ogm-ge", first=3), method("joint"))


def test_noise_is_that_of_the_gradient_before_it_is_scaled():
    torch.manual_seed(0)
    plain = 3 * torch.randn(400, 500) + 1
    for k in (0.0, 0.2, 1.0):
        gradient = plain.clone()
        method("ogm-ge").modulate(gradient, torch.tensor(k))
        noise = gradient - k * plain
        assert noise.std().item() == pytest.approx(3, rel=0.02)
        assert noise.mean().abs() < 0.05


@pytest.mark.parametrize(("encoder", "noisy"), [("series-cnn", 4), ("mlp", 2)])
def test_every_encoder_gets_noise_and_biases_norms_and_head_do_not(encoder, noisy):
    bench = Bench(encoder=encoder)
    joint, ogm = (bench.gradients(m) for m in (method("joint"), method("ogm-ge")))
    for name, g in joint.items():
        touched = name.startswith("encoders.") and g.ndim == noisy
        assert torch.equal(ogm[name], g) != touched, name


def test_a_gradient_of_one_entry_has_no_spread():
    gradient = torch.tensor([[2.0]])
    method("ogm-ge").modulate(gradient, torch.tensor(0.5))
    assert gradient.item() == pytest.approx(1.0)
