"""Uni-modal training: one encoder, one linear head, one modality.

    L = CE(W_m z_m + b, y)

It is the reference every laziness is measured against, the member of UME and the teacher of UMT,
so it must be trained to convergence: an under-trained baseline is this literature's commonest
fault. In code it is joint training of a model that has a single modality.

Source: Du et al., ICML 2023, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models import LateFusion


@dataclass
class Unimodal(Method):
    """Train on ``modality`` alone."""

    title = "uni-modal"
    family = "uni-modal"
    year = 2023
    baseline = True

    modality: str

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        return make(modalities=(self.modality,))
