"""Kinetics-400: video and sound of 400 human actions (Kay et al. 2017)."""

from __future__ import annotations

from umt_lib.data import clips
from umt_lib.data.clips import picture
from umt_lib.data.splits import Splits


def load(folder: str = "kinetics400") -> Splits:
    """Load the folder that ``umt prepare kinetics400`` made; see :func:`clips.load`.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    return clips.load("kinetics400", folder)


__all__ = ["load", "picture"]
