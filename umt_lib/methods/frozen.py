"""Frozen uni-modal encoders with a trained head.

    L = CE(H(t_1(x_1), ..., t_M(x_M)), y), only H learns

The paper's guiding rule compares this with UME: where the trained head wins, it says, paired
features matter. What the rule cannot see is a feature no uni-modal encoder had reason to encode.

Source: Du et al., ICML 2023, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from umt_lib.methods.base import Make, Teachers
from umt_lib.methods.unimodal_init import UnimodalInit
from umt_lib.models import LateFusion


@dataclass
class Frozen(UnimodalInit):
    """Like ``unimodal-init`` with encoders that never change, batch statistics included."""

    title = "frozen encoders"
    family = "uni-modal initialisation"
    year = 2023
    baseline = True

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = super().build(make, teachers)
        model.freeze_encoders()
        return model
