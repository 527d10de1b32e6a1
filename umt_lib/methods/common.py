"""How far each modality is ahead of the others: what methods that balance modalities look at.

    s_m = mean_i softmax(l_m)[y],   rho_m = s_m / mean of the others' s

For two modalities it is the ratio of Peng et al., CVPR 2022; the mean for more than two is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from umt_lib.errors import StudyError
from umt_lib.models import LateFusion


def ratios(sim: dict[str, Tensor], y: Tensor) -> dict[str, Tensor]:
    """rho_m, {m: scalar without gradient}: above 1 for a modality that is ahead of the others."""
    least = torch.finfo(torch.float32).tiny  # far from every prototype: no division by 0
    right = {
        m: x.detach().softmax(1).gather(1, y[:, None]).mean().clamp_min(least)
        for m, x in sim.items()
    }
    others = {m: torch.stack([s for j, s in right.items() if j != m]).mean() for m in right}
    return {m: s / others[m] for m, s in right.items()}


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
