"""CREMA-D: emotions of 91 actors, seen and heard, 6 classes (Cao et al. 2014)."""

from __future__ import annotations

from umt_lib.data import clips
from umt_lib.data.base import Splits
from umt_lib.data.clips import picture


def load(folder: str = "cremad") -> Splits:
    """What ``python -m umt_lib.data.prepare cremad`` made; see :func:`clips.load`.

    Args:
        folder: the prepared folder; a relative one is looked for under ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    return clips.load("cremad", folder)


__all__ = ["load", "picture"]
