"""UTD-MHAD with three modalities: the clips of :mod:`.utd_mhad`, with the two sensors apart."""

from __future__ import annotations

from umt_lib.data.splits import Splits
from umt_lib.data.utd_mhad import DATASET, Cut, load_modalities, picture


def load(
    folder: str = DATASET, split: Cut = "people", depth: bool = False, fold: int = 0
) -> Splits:
    """Load ``accelerometer`` and ``gyroscope``, (n, 3, samples), and ``skeleton`` (n, 60, frames).

    All are float32 and standardised as by :func:`.utd_mhad.load`.

    Args:
        folder: see :func:`.utd_mhad.load`.
        split: see :func:`.utd_mhad.load`.
        depth: add ``depth``, uint8 (n, frames, 1, size, size), which ResNet encoders standardise.
        fold: see :func:`.utd_mhad.load`.

    Raises:
        StudyError: as for :func:`.utd_mhad.load`, or the folder has no depth.
    """
    three = ("accelerometer", "gyroscope", "skeleton")
    return load_modalities((*three, "depth") if depth else three, folder, split, fold)


__all__ = ["load", "picture"]
