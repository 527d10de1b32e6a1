"""Stages: an encoder in pieces is still that encoder."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from umt_lib.errors import StudyError
from umt_lib.models import ENCODERS
from umt_lib.models.resnet import ResNet3D18, ResNet18
from umt_lib.models.stages import pooled, stages, width

SMALL = {"mlp": (3, 5), "series-cnn": (3, 16), "image-cnn": (3, 16, 16)}


@pytest.mark.parametrize("name", SMALL)
def test_stages_then_pooling_are_the_encoder_bit_for_bit(name):
    """In training mode too, and with the same parameters in the same order."""
    torch.manual_seed(0)
    encoder = ENCODERS[name](SMALL[name])
    x, parts = torch.randn(4, *SMALL[name]), stages(copy.deepcopy(encoder), "a")
    assert len(parts) == {"mlp": 2}.get(name, 3)
    z = x
    for part in parts:
        z = part(z)
        assert z.shape[:2] == (4, width(part))
    assert torch.equal(pooled(z), encoder(x))
    pairs = zip(encoder.parameters(), parts.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


@pytest.mark.parametrize(
    ("make", "shape"),
    [(ResNet18, (3, 32, 32)), (ResNet18, (2, 1, 32, 32)), (ResNet3D18, (2, 3, 16, 16))],
    ids=["picture", "frames", "clip"],
)
def test_a_resnet_is_its_stem_and_four_layers(make, shape):
    pytest.importorskip("torchvision")
    torch.manual_seed(0)
    encoder = make(shape).eval()
    x = torch.randint(0, 256, (3, *shape), dtype=torch.uint8)
    parts, z = stages(encoder, "a"), x
    with torch.no_grad():
        for part in parts:
            z = part(z)
            assert z.shape[:2] == (3, width(part))
        torch.testing.assert_close(pooled(z), encoder(x), atol=1e-5, rtol=1e-4)
    assert [width(part) for part in parts] == [64, 64, 128, 256, 512]


def test_an_unknown_encoder_is_named():
    with pytest.raises(StudyError, match=r"encoders\.sound: Linear cannot be split into stages"):
        stages(nn.Linear(2, 2), "sound")
