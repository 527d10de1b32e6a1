"""Kinetics-400: human actions, seen and heard, 400 classes (Kay et al. 2017)."""

from __future__ import annotations

from umt_lib.data import clips
from umt_lib.data.clips import picture
from umt_lib.data.splits import Splits


def load(folder: str = "kinetics400") -> Splits:
    """What ``umt prepare kinetics400`` made; see :func:`clips.load`.

    Args:
        folder: the prepared folder; a relative one is looked for under ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    return clips.load("kinetics400", folder)


__all__ = ["load", "picture"]
