"""CREMA-D: emotions of 91 actors, seen and heard, 6 classes (Cao et al. 2014)."""

from __future__ import annotations

from umt_lib.data import clips
from umt_lib.data.clips import picture
from umt_lib.data.splits import Splits


def load(folder: str = "cremad") -> Splits:
    """What ``umt prepare cremad`` made; see :func:`clips.load`.

    Args:
        folder: the prepared folder; a relative one is looked for under ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    return clips.load("cremad", folder)


__all__ = ["load", "picture"]
