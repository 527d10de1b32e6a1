"""How far each modality is ahead of the others: what methods that balance modalities look at.

    s_m = mean_i softmax(l_m)[y],   rho_m = s_m / mean of the others' s

For two modalities it is the ratio of Peng et al., CVPR 2022; the mean for more than two is ours.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ratios(sim: dict[str, Tensor], y: Tensor) -> dict[str, Tensor]:
    """rho_m, {m: scalar without gradient}: above 1 for a modality that is ahead of the others."""
    least = torch.finfo(torch.float32).tiny  # far from every prototype: no division by 0
    right = {
        m: x.detach().softmax(1).gather(1, y[:, None]).mean().clamp_min(least)
        for m, x in sim.items()
    }
    others = {m: torch.stack([s for j, s in right.items() if j != m]).mean() for m in right}
    return {m: s / others[m] for m, s in right.items()}
