"""What methods that compare or share features across modalities need: encoders of one width."""

from __future__ import annotations

from umt_lib.errors import StudyError
from umt_lib.models import LateFusion


def one_width(model: LateFusion, method: str, why: str) -> int:
    """The width d of every encoder's features.

    Args:
        method: its name in a params file.
        why: what the method does that needs it, for the error.

    Raises:
        StudyError: encoders of different widths.
    """
    dims = {m: encoder.dim for m, encoder in model.encoders.items()}
    if len(set(dims.values())) > 1:
        raise StudyError(
            f"method {method!r} {why}, but encoders are {dims} wide; give all encoders of the "
            f"params file the same width"
        )
    return next(iter(dims.values()))
