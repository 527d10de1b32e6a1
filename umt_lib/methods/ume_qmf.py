"""UME with QMF's weights: a uni-modal ensemble that weighs modalities sample by sample.

    w_m = 1/10 log sum_k exp l_m[k],   f = sum_m w_m l_m

l_m are the logits of the uni-modal models, and nothing is trained. The rules of UME are the same
for all samples; this one follows the more confident modality of each. Adding a constant to all
logits of a sample changes no prediction of a uni-modal model, but it changes w: this rule depends
on something that cross-entropy does not determine. A confidence below 0 even reverses a modality.

Only the rule of combination is QMF's; :mod:`umt_lib.methods.qmf` trains for it, and says where the
equations are from.

Source: Zhang et al., ICML 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.methods.qmf import ConfidenceWeighted


@dataclass
class UMEQMF(Method):
    """Combine the logits of the uni-modal models of the same seed by their confidences."""

    title = "UME, QMF's weights"
    family = "ensemble"
    year = 2023
    baseline = False

    needs_teachers: ClassVar[bool] = True

    def epochs(self, epochs: int) -> int:
        return 0

    def build(self, make: Make, teachers: Teachers) -> ConfidenceWeighted:
        return ConfidenceWeighted(teachers)
