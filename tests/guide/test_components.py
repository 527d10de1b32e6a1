"""Principal components of the inputs: what varies is kept and noise is left out."""

from __future__ import annotations

import numpy as np
import torch

from umt_lib.guide.components import COMPONENTS, components, of_inputs


def test_components_keep_what_varies_and_leave_noise():
    rng = np.random.default_rng(0)
    hidden = 3 * rng.standard_normal((300, 2))
    axes = np.linalg.qr(rng.standard_normal((20, 2)))[0]
    x = hidden @ axes.T + 0.1 * rng.standard_normal((300, 20))
    made = components(x[:200], x[200:])
    assert made.shape == (100, 2)
    fitted = np.linalg.lstsq(made, hidden[200:] - hidden[:200].mean(0), rcond=None)
    assert fitted[1].max() < 0.05 * (hidden[200:] ** 2).sum()


def test_components_of_wide_inputs():
    rng = np.random.default_rng(0)
    wide = components(rng.standard_normal((60, 3, 16, 16)), rng.standard_normal((5, 3, 16, 16)))
    assert wide.shape[0] == 5
    assert 1 <= wide.shape[1] <= COMPONENTS


def test_every_modality_has_components_fitted_on_the_training_samples():
    train, samples = ({m: torch.randn(n, 1, 5) for m in "ab"} for n in (30, 7))
    found = of_inputs(train, samples)
    assert list(found) == ["a", "b"]
    for m, z in found.items():
        assert np.array_equal(z, components(train[m].numpy(), samples[m].numpy()))
