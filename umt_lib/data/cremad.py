"""CREMA-D: video and sound of 91 actors, 6 emotions (Cao et al. 2014)."""

from __future__ import annotations

from umt_lib.data import clips
from umt_lib.data.clips import picture
from umt_lib.data.splits import Splits


def load(folder: str = "cremad") -> Splits:
    """Load the folder that ``umt prepare cremad`` made; see :func:`clips.load`.

    Args:
        folder: the prepared folder; a relative path is looked for in ``$UMT_DATA`` first.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    return clips.load("cremad", folder)


__all__ = ["load", "picture"]
