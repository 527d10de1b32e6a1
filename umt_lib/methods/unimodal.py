"""Uni-modal training: one encoder and one linear head, trained on one modality.

    L = CE(W_m z_m + b, y)

Laziness is measured against it, UME is made of it and UMT has it as teacher, so it must be trained
to convergence: an under-trained baseline is the most common error in this literature. In code it is
joint training of a model that has a single modality.

Source: Du et al., ICML 2023, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models import LateFusion


@dataclass
class Unimodal(Method):
    """Train one encoder on ``modality``."""

    title = "uni-modal"
    family = "uni-modal"
    year = 2023
    baseline = True

    modality: str

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        return make(modalities=(self.modality,))
