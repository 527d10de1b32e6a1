"""Fusion heads: uni-modal logits that add up, and what an additive head can never represent."""

import pytest
import torch

from umt_lib.models import HEADS
from umt_lib.models.late_fusion import LateFusion

DIMS = {"a": 3, "b": 5, "c": 2}


def fused(head: torch.nn.Module, features: dict[str, torch.Tensor]) -> torch.Tensor:
    return LateFusion({}, head).fuse(features).fused


@pytest.fixture
def features():
    torch.manual_seed(0)
    return {m: torch.randn(7, d) for m, d in DIMS.items()}


@pytest.mark.parametrize("name", HEADS)
def test_shape_and_every_modality_counts(name, features):
    torch.manual_seed(1)
    head = HEADS[name](DIMS, 4).eval()
    logits = fused(head, features)
    assert logits.shape == (7, 4)
    for m in DIMS:
        moved = fused(head, {**features, m: features[m] + 1})
        assert not torch.allclose(moved, logits)


@pytest.mark.parametrize("name", HEADS)
def test_modalities_go_by_name_not_by_position(name, features):
    torch.manual_seed(1)
    head = HEADS[name](DIMS, 4).eval()
    swapped = dict(reversed(features.items()))
    torch.testing.assert_close(fused(head, swapped), fused(head, features))


def test_the_linear_heads_unimodal_logits_add_up_to_one_linear_layer(features):
    torch.manual_seed(1)
    head = HEADS["linear"](DIMS, 4)
    torch.manual_seed(1)
    whole = torch.nn.Linear(10, 4)
    logits = head.unimodal_logits(features)
    expected = whole(torch.cat(list(features.values()), 1))
    torch.testing.assert_close(sum(logits.values()), expected)
    by_hand = features["b"] @ head.weights["b"].T + head.bias / 3
    torch.testing.assert_close(logits["b"], by_hand)


@pytest.mark.parametrize(("name", "additive"), [("linear", True), ("mlp", False)])
def test_interactions(name, additive):
    """H(1, 1) - H(1, 0) - H(0, 1) + H(0, 0) is zero for an additive head and for no other."""
    torch.manual_seed(2)
    head = HEADS[name]({"a": 3, "b": 3}, 4)
    one, zero = torch.randn(1, 3), torch.zeros(1, 3)
    corners = [(one, one), (one, zero), (zero, one), (zero, zero)]
    values = [fused(head, {"a": a, "b": b}) for a, b in corners]
    interaction = values[0] - values[1] - values[2] + values[3]
    assert torch.allclose(interaction, torch.zeros(1, 4), atol=1e-6) == additive
