"""Features of AVE clips by encoders that other people trained: joint, OGM-GE, UMT, UME, ReconBoost.

The files are in the repository of ReconBoost (github.com/huacong/ReconBoost, ``all_feat/AVE``): for
each method the features (n, 512) of an audio and a visual encoder, and the labels (n,). The
encoders are ResNet-18; their features are averages over the last feature maps, after a ReLU, before
the head. What else is known about the files is on the page ``laziness-released`` of the book.

No data set for training: ``umt analyse params/analyses/ave-features.yaml`` reads it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from umt_lib.data.github import Repository

NAME = "ave-features"
USER = f"data set {NAME!r}"
REPOSITORY = Repository("huacong/ReconBoost", "14ab57ac26e0ad7badb29c4e08ec4ca9d4bb0932", NAME)
FOLDERS = {  # method: its folder in the repository
    "joint": "normal_fts",
    "OGM-GE": "ogm_ge_fts",
    "UMT": "umt_fts",
    "UME": "ume_fts",
    "ReconBoost": "our_fts",
}
MODALITIES = ("audio", "visual")


class Released(NamedTuple):
    """The features of one method: {modality: (n, 512)}, and the labels (n,) in 0..27."""

    features: dict[str, np.ndarray]
    y: np.ndarray


def load() -> dict[str, Released]:
    """Load the features of every method, {method: Released}; download files that are missing.

    A file is looked for in the folder ``ave-features`` of ``$UMT_DATA``, then of the user cache. It
    may have its path in the repository or the shorter ``<method>/<file>``, as in ``umt/...``.

    Raises:
        StudyError: a file cannot be downloaded, or is not the one that this study uses.
    """
    found = REPOSITORY.find(NAME, {path: _short(path) for path in REPOSITORY.files()}, USER)

    def read(folder: str, name: str) -> np.ndarray:
        path = found[f"all_feat/AVE/{folder}/{name}.npy"]
        return np.load(path, allow_pickle=False)

    return {
        method: Released(
            {m: read(folder, f"{m}_features") for m in MODALITIES}, read(folder, "all_labels")
        )
        for method, folder in FOLDERS.items()
    }


def _short(path: str) -> str:
    return f"{NAME}/{path.removeprefix('all_feat/AVE/').replace('_fts/', '/')}"
