"""The linear probe: what a linear classifier can read off features, and no more."""

import pytest
import torch

from umt_lib.evaluation.probes import linear_probe


@pytest.fixture
def stream():
    return torch.Generator().manual_seed(0)


def halves(z, y):
    return z[::2], y[::2], z[1::2], y[1::2]


def test_separable_features_are_read_whatever_their_scale(stream):
    y = torch.arange(120) % 3
    z = torch.eye(3)[y] + 0.05 * torch.randn(120, 3, generator=stream)
    loud = 1e3 * torch.randn(120, 3, generator=stream)
    assert linear_probe(*halves(z, y)) == 1.0
    assert linear_probe(*halves(torch.cat([1e-3 * z + 5, loud], 1), y)) == 1.0


def test_noise_is_worth_chance(stream):
    z, y = torch.randn(400, 5, generator=stream), torch.arange(400) // 2 % 2
    assert linear_probe(*halves(z, y)) == pytest.approx(0.5, abs=0.1)


def test_xor_is_not_linear(stream):
    z = torch.randint(0, 2, (400, 2), generator=stream).float()
    y = (z[:, 0] != z[:, 1]).long()
    assert linear_probe(*halves(z, y)) < 0.75
    assert linear_probe(*halves(torch.cat([z, z[:, :1] * z[:, 1:]], 1), y)) == 1.0


def test_cross_validation_chooses_a_strength_that_matters(stream):
    """Few samples, many useless dimensions: a weak penalty overfits and is not chosen."""
    y = torch.arange(120) // 2 % 2
    z = torch.randn(120, 60, generator=stream)
    z[:, 0] += 2.0 * y
    weak = linear_probe(*halves(z, y), strength=1e3)
    assert linear_probe(*halves(z, y)) > weak


def test_a_given_strength_is_used(stream):
    """Few samples, many useless dimensions: the smaller the inverse penalty, the better."""
    y = torch.arange(120) // 2 % 2
    z = torch.randn(120, 60, generator=stream)
    z[:, 0] += 2.0 * y
    strong, middle, weak = (linear_probe(*halves(z, y), strength=c) for c in (1e-3, 1.0, 1e3))
    assert strong > middle > weak


def test_the_test_labels_are_only_scored(stream):
    y = torch.arange(60) % 3
    z = torch.eye(3)[y] + 0.05 * torch.randn(60, 3, generator=stream)
    known, truth, held, held_y = halves(z, y)
    assert linear_probe(known, truth, held, (held_y + 1) % 3) == 0.0


def test_a_feature_that_never_changes_is_harmless():
    y = torch.arange(60) % 3
    z = torch.cat([torch.eye(3)[y], torch.zeros(60, 2)], 1)
    assert linear_probe(*halves(z, y)) == 1.0
