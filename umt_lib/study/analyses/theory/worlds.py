"""The worlds of ``simulation.py``: which features there are, and samples that show them.

A feature is a block of :data:`BLOCK` inputs in each modality it speaks in. Where it is present the
block is plus or minus one fixed code, times the feature's scale; the sign is the class. A paired
feature has a block in both modalities: the first half's sign is a coin, the second half's the coin
XOR the class. Where a feature is absent, its block is noise around zero.

Sizes, scales and the schedule were chosen after a few trial trainings, so that paired features are
learned where nothing else is there to learn. The worlds show what can happen, not how often.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from umt_lib.data.splits import Split

MOST, PAIRS = 4, 2  # uni-modal features of one modality, at most; paired features
KINDS = ("a", "b", "paired")
KIND = np.repeat(KINDS, (MOST, MOST, PAIRS))  # of every feature, (F,)
LADDER = np.linspace(1.0, 0.4, MOST)  # scales of a modality's features, easiest first
PAIRED_SCALE, PAIRED_PRESENCE = 1.5, 0.5
BLOCK = 4  # inputs of one feature in one modality
NOISE = 0.4  # standard deviation of the noise of one input; a code of scale 1 has length 2
QUIET = 0.1  # the same while a network is examined
CASES = 64  # a feature is examined on: 16 of each of the 4 cases of class and coin


class World(NamedTuple):
    """What features there are.

    Attributes:
        number: uni-modal features of each modality, 0 to :data:`MOST`.
        presence: share of the samples a uni-modal feature is present on.
        asymmetry: modality b's features are weaker by this share of their scale.
    """

    number: int = MOST
    presence: float = 0.4
    asymmetry: float = 0.0

    @property
    def presences(self) -> np.ndarray:
        """Of all features, (F,); 0 for those this world lacks."""
        uni = np.where(np.arange(MOST) < self.number, self.presence, 0.0)
        return np.concatenate([uni, uni, np.full(PAIRS, PAIRED_PRESENCE)])

    @property
    def scales(self) -> np.ndarray:
        """Of all features, (F,)."""
        weaker = LADDER * (1 - self.asymmetry)
        return np.concatenate([LADDER, weaker, np.full(PAIRS, PAIRED_SCALE)])


class Drawn(NamedTuple):
    """Data of one world and seed; F features, ordered as KIND."""

    present: np.ndarray  # (n, F) bool: of the training samples
    train: Split  # x {"a", "b"}: (n, features with a block in it * BLOCK)
    validation: Split
    probe: Split  # (F * CASES): every feature alone, in order


def draw(world: World, seed: int, n_train: int, n_validation: int) -> Drawn:
    """Samples of a world; with one seed, the random draws are the same in all worlds."""
    rng = np.random.default_rng(seed)
    codes = rng.standard_normal((2, len(KIND), BLOCK))
    codes *= 2 * world.scales[:, None] / np.linalg.norm(codes, axis=2, keepdims=True)

    def split(shown: np.ndarray, y: np.ndarray, coin: np.ndarray, noise: float) -> Split:
        """Inputs of samples (n,) that show the features ``shown`` (n, F)."""
        x, paired = {}, KIND == "paired"
        for m, code in zip("ab", codes, strict=True):
            value = np.where(paired, coin if m == "a" else coin ^ y[:, None], y[:, None])
            clean = (shown * (2.0 * value - 1))[:, :, None] * code
            blocks = clean[:, (m == KIND) | paired].reshape(len(y), -1)
            noisy = blocks + noise * rng.standard_normal(blocks.shape)
            x[m] = torch.from_numpy(noisy.astype(np.float32))
        return Split(x, torch.from_numpy(y))

    parts = []
    for n in (n_train, n_validation):
        shown = rng.random((n, len(KIND))) < world.presences
        parts.append((shown, rng.integers(2, size=n), rng.integers(2, size=shown.shape)))
    cases = np.tile(np.repeat(np.arange(4), CASES // 4), len(KIND))
    alone = np.repeat(np.eye(len(KIND), dtype=bool), CASES, axis=0)
    train, validation = (split(*part, NOISE) for part in parts)
    probe = split(alone, cases % 2, cases[:, None] // 2 % 2, QUIET)
    return Drawn(parts[0][0], train, validation, probe)
