"""Joint training from uni-modal initialisation: encoders start as the uni-modal ones.

    z_m starts as t_m, then L = CE(H(z_1, ..., z_M), y) as in joint training

It is an ablation of UMT: are good uni-modal features kept when joint training only begins with
them?

Source: the fine-tuning ablation of Du et al., ICML 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models import LateFusion


@dataclass
class UnimodalInit(Method):
    """Joint training of encoders copied from the teachers and a new head."""

    title = "joint from uni-modal init"
    family = "uni-modal initialisation"
    year = 2023
    baseline = True

    needs_teachers: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = make()
        for m, teacher in teachers.items():
            model.encoders[m].load_state_dict(teacher.encoders[m].state_dict())
        return model
