"""VGG-Sound: a video and the sound that names it, 309 classes (Chen et al. 2020)."""

from __future__ import annotations

from umt_lib.data import clips
from umt_lib.data.clips import picture
from umt_lib.data.splits import Splits


def load(folder: str = "vggsound") -> Splits:
    """What ``umt prepare vggsound`` made; see :func:`clips.load`.

    Args:
        folder: the prepared folder; a relative one is looked for under ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    return clips.load("vggsound", folder)


__all__ = ["load", "picture"]
