"""Data sets on which the right verdict is known, small enough for a test."""

from __future__ import annotations

import numpy as np

Case = tuple[dict[str, np.ndarray], np.ndarray]  # features {m: (n, d)}, labels (n,)


def additive(n: int = 240, modalities: str = "ab", classes: int = 2, seed: int = 0) -> Case:
    """Independent views of the class: nothing to gain from training together."""
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    return {m: 2.0 * np.eye(classes)[y] + rng.normal(size=(n, classes)) for m in modalities}, y


def shared_noise(n: int = 240, modalities: str = "ab", seed: int = 0) -> Case:
    """Noise that cancels in a difference of the first two; the others say nothing."""
    rng = np.random.default_rng(seed)
    y, noise = rng.integers(2, size=n), 4 * rng.normal(size=(n, 1))
    features = {m: rng.normal(size=(n, 2)) for m in modalities}
    first, second = modalities[:2]
    features[first][:, :1] += noise + 3 * y[:, None]
    features[second][:, :1] += noise
    return features, y


def xor(n: int = 240, modalities: str = "ab", seed: int = 0) -> Case:
    """The class is whether two signs agree; the other modalities say nothing."""
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1, 1], size=(2, n))
    features = {m: 0.3 * rng.normal(size=(n, 2)) for m in modalities}
    for m, sign in zip(modalities, signs, strict=False):
        features[m][:, 0] += sign
    return features, (signs[0] == signs[1]).astype(int)


def noise(n: int = 120, modalities: str = "ab", seed: int = 0) -> Case:
    rng = np.random.default_rng(seed)
    return {m: rng.normal(size=(n, 2)) for m in modalities}, rng.integers(2, size=n)
