"""OGM-GE: on-the-fly gradient modulation, with noise for generalisation enhancement.

    encoder m:  g <- k_m g + e,   e ~ N(0, (std(g) + 1e-8)^2)

k_m and the epochs that modulate are those of OGM. Noise goes to every encoder, also to one that is
not held back, and its standard deviation is that of the gradient before it is scaled, taken over
the elements of each kernel.

Source: Peng et al., CVPR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from umt_lib.methods.ogm import OGM


@dataclass
class OGMGE(OGM):
    """In epochs that do not modulate it is joint training; ``alpha`` 0 leaves the noise."""

    title = "OGM-GE"
    family = "gradient modulation"
    year = 2022
    baseline = False

    def modulate(self, gradient: Tensor, k: Tensor) -> None:
        spread = gradient.std(correction=0) + 1e-8  # before k
        gradient *= k
        gradient += spread * torch.randn_like(gradient)
