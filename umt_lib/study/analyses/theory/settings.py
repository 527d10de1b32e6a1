"""Settings of ``simulation.py``: which features exist, and random samples with these features.

A feature has a block of :data:`BLOCK` inputs in one modality, a paired feature in both. On a sample
where the feature is present, the block is plus or minus a fixed code times the feature's scale; the
sign is the class. Of a paired feature, the sign of the first block is a random bit, that of the
second block is this bit XOR the class. Where a feature is absent, its block is noise around zero.

Sizes, scales and the schedule were chosen after a few trial trainings, so that paired features are
learned where there is nothing else to learn. The settings show what can happen, not how often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from umt_lib.data.splits import Split

MOST, PAIRS = 4, 2  # the largest number of uni-modal features per modality; paired features
KINDS = ("a", "b", "paired")
KIND = np.repeat(KINDS, (MOST, MOST, PAIRS))  # of every feature, (F,)
LADDER = np.linspace(1.0, 0.4, MOST)  # scales of a modality's features, easiest first
PAIRED_SCALE, PAIRED_PRESENCE = 1.5, 0.5
BLOCK = 4  # inputs of one feature in one modality
NOISE = 0.4  # standard deviation of the noise of one input; a code of scale 1 has length 2
QUIET = 0.1  # the same while a network is examined
CASES = 64  # samples on which a feature is examined: 16 for each of the 4 values of (class, bit)


class FeatureSetting(NamedTuple):
    """Which features exist.

    Attributes:
        number: number of uni-modal features of each modality, 0 to :data:`MOST`.
        presence: share of the samples on which a uni-modal feature is present.
        asymmetry: share of their scale by which the features of modality b are weaker.
    """

    number: int = MOST
    presence: float = 0.4
    asymmetry: float = 0.0

    @property
    def presences(self) -> np.ndarray:
        """The presence of every feature, (F,); 0 if the setting does not have it."""
        uni = np.where(np.arange(MOST) < self.number, self.presence, 0.0)
        return np.concatenate([uni, uni, np.full(PAIRS, PAIRED_PRESENCE)])

    @property
    def scales(self) -> np.ndarray:
        """The scale of every feature, (F,)."""
        weaker = LADDER * (1 - self.asymmetry)
        return np.concatenate([LADDER, weaker, np.full(PAIRS, PAIRED_SCALE)])


class Drawn(NamedTuple):
    """The data of one setting and seed, with F features in the order of KIND."""

    present: np.ndarray  # (n, F) bool: which training sample has which feature
    train: Split  # x {"a", "b"}: (n, features with a block in it * BLOCK)
    validation: Split
    probe: Split  # (F * CASES): each feature with all others absent, in order


def draw(setting: FeatureSetting, seed: int, n_train: int, n_validation: int) -> Drawn:
    """Random samples of a setting; a seed gives the same random numbers in all settings."""
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((2, len(KIND), BLOCK))
    codes *= 2 * setting.scales[:, None] / np.linalg.norm(codes, axis=2, keepdims=True)

    def split(shown: np.ndarray, y: np.ndarray, bit: np.ndarray, noise: float) -> Split:
        """Samples (n,) on which the features ``shown`` (n, F) are present."""
        x, paired = {}, KIND == "paired"
        for m, code in zip("ab", codes, strict=True):
            value = np.where(paired, bit if m == "a" else bit ^ y[:, None], y[:, None])
            clean = (shown * (2.0 * value - 1))[:, :, None] * code
            blocks = clean[:, (m == KIND) | paired].reshape(len(y), -1)
            noisy = blocks + noise * rng.standard_normal(blocks.shape)
            x[m] = torch.from_numpy(noisy.astype(np.float32))
        return Split(x, torch.from_numpy(y))

    parts = []
    for n in (n_train, n_validation):
        shown = rng.random((n, len(KIND))) < setting.presences
        parts.append((shown, rng.integers(2, size=n), rng.integers(2, size=shown.shape)))
    cases = np.tile(np.repeat(np.arange(4), CASES // 4), len(KIND))
    single = np.repeat(np.eye(len(KIND), dtype=bool), CASES, axis=0)
    train, validation = (split(*part, NOISE) for part in parts)
    probe = split(single, cases % 2, cases[:, None] // 2 % 2, QUIET)
    return Drawn(parts[0][0], train, validation, probe)
