"""Encoders: any number of samples to vectors of the promised width."""

import pytest
import torch

from umt_lib.models import ENCODERS

SHAPES = {
    "mlp": (3, 4),
    "image-cnn": (3, 12, 10),
    "series-cnn": (6, 21),
    "resnet18": (2, 3, 48, 40),
    "resnet3d-18": (4, 3, 20, 20),
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("samples", [1, 5])
def test_one_finite_vector_per_sample(name, samples):
    torch.manual_seed(0)
    encoder = ENCODERS[name](SHAPES[name])
    z = encoder(torch.randn(samples, *SHAPES[name]))
    assert z.shape == (samples, encoder.dim)
    assert z.isfinite().all()
    z.sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


@pytest.mark.parametrize("name", ENCODERS)
def test_samples_do_not_mix_in_evaluation_mode(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name](SHAPES[name]).eval()
    x = torch.randn(5, *SHAPES[name])
    torch.testing.assert_close(encoder(x)[2:3], encoder(x[2:3]))


@pytest.mark.parametrize("name", ["image-cnn", "series-cnn"])
def test_the_average_takes_any_length(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name](SHAPES[name])
    longer = (SHAPES[name][0], *(2 * size for size in SHAPES[name][1:]))
    assert encoder(torch.randn(2, *longer)).shape == (2, encoder.dim)


@pytest.mark.parametrize(
    ("name", "options", "dim"),
    [
        ("mlp", {"dim": 9}, 9),
        ("image-cnn", {"channels": (4, 7)}, 7),
        ("series-cnn", {"channels": (5,), "kernel": 3}, 5),
    ],
)
def test_options_set_the_width(name, options, dim):
    encoder = ENCODERS[name](SHAPES[name], **options)
    assert encoder.dim == dim
    assert encoder(torch.randn(2, *SHAPES[name])).shape == (2, dim)
