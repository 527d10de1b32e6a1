"""Frozen encoders: train only a fusion head, on features of frozen uni-modal encoders.

    L = CE(H(t_1(x_1), ..., t_M(x_M)), y), only H learns

The paper's guiding rule compares this with UME: where the trained head is better, it says, paired
features matter. The rule cannot detect a feature that no uni-modal encoder had reason to encode.

Source: Du et al., ICML 2023, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from umt_lib.methods.base import Make, Teachers
from umt_lib.methods.unimodal_init import UnimodalInit
from umt_lib.models import LateFusion


@dataclass
class Frozen(UnimodalInit):
    """``unimodal-init`` with encoders that never change, batch statistics included."""

    title = "frozen encoders"
    family = "uni-modal initialisation"
    year = 2023
    baseline = True

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = super().build(make, teachers)
        model.freeze_encoders()
        return model
