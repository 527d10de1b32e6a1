"""Each loss by values computed by hand, and at its limits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from umt_lib.losses import (
    class_means,
    entropy,
    feature_distillation,
    info_nce,
    jensen_shannon,
    prototype_logits,
    subspace_basis,
    subspace_distillation,
    supervised_contrastive,
)

Y = torch.tensor([0, 1, 0, 1, 0])


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_feature_distillation_is_a_mean_over_samples_and_dimensions():
    z, target = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 2.0]])
    assert feature_distillation(z, target).item() == (1 + 4 + 0 + 4) / 4
    assert feature_distillation(z, z).item() == 0


def test_subspace_distillation_sees_the_directions_of_the_basis_and_no_others():
    z, target = random(4, 3), random(4, 3, seed=1)
    basis = torch.linalg.qr(random(3, 3, seed=2)).Q
    part, rest = basis[:, :1], basis[:, 1:]
    by_hand = sum(((row @ part) ** 2).item() for row in z - target) / (4 * 3)
    assert subspace_distillation(z, target, part).item() == pytest.approx(by_hand)
    assert_close(subspace_distillation(z, target, basis), feature_distillation(z, target))
    elsewhere = z + random(4, 2, seed=3) @ rest.T
    before = subspace_distillation(z, target, part)
    assert_close(subspace_distillation(elsewhere, target, part), before)


def test_the_basis_is_orthonormal_and_holds_all_differences_of_logits():
    rows = random(3, 6)
    v = subspace_basis(rows)
    assert v.shape == (6, 2)
    assert_close(v.T @ v, torch.eye(2))
    differences = rows[1:] - rows[0]
    assert_close(differences @ v @ v.T, differences)


def test_bases_of_many_classifiers_are_those_of_each():
    stacked = random(4, 3, 6).requires_grad_()
    bases = subspace_basis(stacked)
    assert not bases.requires_grad
    assert_close(bases, torch.stack([subspace_basis(rows) for rows in stacked]))


@pytest.mark.parametrize(("classes", "dim", "directions"), [(2, 5, 1), (3, 2, 2), (9, 4, 4)])
def test_a_basis_has_a_direction_less_than_classes_and_at_most_all(classes, dim, directions):
    assert subspace_basis(random(classes, dim)).shape == (dim, directions)


def test_info_nce_is_the_cross_entropy_of_the_counterpart():
    u, v = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    # u_i's inner products with v_1 and v_2 are (1, 0) and (2, 2)
    by_hand = -math.log(math.exp(2) / (math.exp(2) + math.exp(0))) - math.log(1 / 2)
    assert info_nce(u, v, 0.5).item() == pytest.approx(by_hand / 2)
    assert info_nce(u, v, 0.5).item() != pytest.approx(info_nce(v, u, 0.5).item())


def test_info_nce_is_0_for_clear_counterparts_and_log_b_for_none():
    assert info_nce(torch.eye(4), torch.eye(4), 0.01).item() == pytest.approx(0, abs=1e-6)
    assert info_nce(torch.eye(4), torch.eye(4).roll(1, 0), 0.01).item() == pytest.approx(100)
    assert info_nce(torch.eye(4), torch.ones(4, 4), 0.1).item() == pytest.approx(math.log(4))


def test_the_supervised_contrast_is_a_mean_over_all_samples_of_the_class():
    u, v = random(5, 3), random(5, 3, seed=1)
    log = (u @ v.T / 0.5).log_softmax(1)
    rows = [-log[i][Y[i] == Y].mean() for i in range(5)]
    assert_close(supervised_contrastive(u, v, Y, 0.5), torch.stack(rows).mean())


def test_the_supervised_contrast_of_one_sample_a_class_is_info_nce():
    u, v = random(5, 3), random(5, 3, seed=1)
    assert_close(supervised_contrastive(u, v, torch.arange(5), 0.3), info_nce(u, v, 0.3))
    assert supervised_contrastive(u, 0 * v, Y, 0.3).item() == pytest.approx(math.log(5))


def test_class_means_are_means_and_an_absent_class_keeps_its_prototype():
    old = torch.arange(6.0).view(3, 2)
    z, y = torch.tensor([[1.0, 1.0], [3.0, 5.0], [8.0, 8.0]]), torch.tensor([0, 0, 2])
    new = class_means(z, y, old, momentum=0.25)
    expected = [
        0.25 * old[0] + 0.75 * torch.tensor([2.0, 3.0]),
        old[1],
        0.25 * old[2] + 0.75 * z[2],
    ]
    assert_close(new, torch.stack(expected))
    assert torch.equal(
        class_means(z, y, old), torch.stack([torch.tensor([2.0, 3.0]), old[1], z[2]])
    )
    assert torch.equal(class_means(z, y, old, momentum=1.0), old)


def test_prototype_logits_are_exact_at_small_distances_too():
    z = 100 + 1e-3 * random(40, 8)
    prototypes = 100 + 1e-3 * random(30, 8, seed=1)
    by_hand = -(z[:, None] - prototypes).square().sum(2).sqrt()
    assert_close(prototype_logits(z, prototypes), by_hand)
    assert not torch.allclose(-torch.cdist(z, prototypes), by_hand, rtol=0.1)  # the fast way


def test_the_divergence_is_symmetric_zero_for_equals_and_log_2_for_certain_opposites():
    one, other = torch.tensor([[40.0, 0.0, 0.0]]), torch.tensor([[0.0, 40.0, 0.0]])
    assert jensen_shannon(one, one).item() == pytest.approx(0, abs=1e-6)
    assert jensen_shannon(one, other).item() == pytest.approx(math.log(2), rel=1e-5)
    p, q = random(5, 3), random(5, 3, seed=1)
    assert_close(jensen_shannon(p, q), jensen_shannon(q, p))
    assert_close(jensen_shannon(p + 7, q), jensen_shannon(p, q))  # logits are up to a constant


def test_the_divergence_is_the_mean_over_samples_of_that_of_each():
    """By its other definition: the entropy of the mean less the mean of the entropies."""
    p, q = torch.tensor([[0.5, 0.5], [0.9, 0.1]]), torch.tensor([[0.25, 0.75], [0.9, 0.1]])
    by_hand = entropy(((p + q) / 2).log()) - (entropy(p.log()) + entropy(q.log())) / 2
    assert by_hand[1].item() == pytest.approx(0, abs=1e-6)
    assert_close(jensen_shannon(p.log(), q.log()), by_hand.mean())


def test_entropy_is_log_k_for_uniform_and_0_for_certain_predictions():
    assert entropy(torch.zeros(7).log_softmax(0)).item() == pytest.approx(math.log(7))
    assert entropy(torch.tensor([60.0, 0.0, 0.0]).log_softmax(0)).item() == pytest.approx(0)
    p = torch.tensor([0.2, 0.3, 0.5])
    by_hand = -sum(x * math.log(x) for x in p.tolist())
    assert entropy(p.log()).item() == pytest.approx(by_hand)


def test_entropy_is_summed_over_the_dimensions_that_are_named():
    log_p = random(2, 5, 3).log_softmax(2)
    each = entropy(log_p)
    assert each.shape == (2, 5)
    assert_close(entropy(log_p, (1, 2)), each.sum(1))
    assert_close(entropy(log_p.transpose(1, 2), 1), each)
