"""VGG-Sound: video and sound of 309 classes of sounds (Chen et al. 2020)."""

from __future__ import annotations

from umt_lib.data import clips
from umt_lib.data.clips import picture
from umt_lib.data.splits import Splits


def load(folder: str = "vggsound") -> Splits:
    """Load the folder that ``umt prepare vggsound`` made; see :func:`clips.load`.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    return clips.load("vggsound", folder)


__all__ = ["load", "picture"]
