"""OGM-GE: on-the-fly gradient modulation with added noise (generalisation enhancement).

    encoder m:  g <- k_m g + e,   e ~ N(0, (std(g) + 1e-8)^2)

k_m and the epochs with modulation are those of OGM. Noise is added to every encoder, also to one
that is not slowed down, and its standard deviation is that of the gradient before it is scaled,
taken over the elements of each kernel.

Source: Peng et al., CVPR 2022.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from umt_lib.methods.ogm import OGM


@dataclass
class OGMGE(OGM):
    """OGM with noise added to the gradients.

    In epochs without modulation it is joint training; ``alpha`` 0 leaves the noise.
    """

    title = "OGM-GE"
    family = "gradient modulation"
    year = 2022
    baseline = False

    def modulate(self, gradient: Tensor, k: Tensor) -> None:
        spread = gradient.std(correction=0) + 1e-8  # before k
        gradient *= k
        gradient += spread * torch.randn_like(gradient)
