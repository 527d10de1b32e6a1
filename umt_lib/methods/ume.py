"""UME, Uni-Modal Ensemble: combine separately trained uni-modal models without further training.

    mean      p = 1/M sum_m p_m                      (the usual reading of the paper)
    product   log p = sum_m log p_m + const          (right for views independent given the class)
    weighted  log p = sum_m w_m log p_m + const      (w >= 0 minimises the validation cross-entropy)

All three are always reported: the choice of the rule can change UME's accuracy more than any
training method does.

Source: Du et al., ICML 2023, section 4; the paper does not say which rule it uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from umt_lib.evaluation.ensemble_weights import fit_weights
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.models import Output
from umt_lib.models.inference import outputs


class Ensemble(nn.Module):
    """Several uni-modal models; ``unimodal`` of the output are their log-probabilities."""

    weights: Tensor

    def __init__(self, members: Teachers):
        super().__init__()
        self.members = nn.ModuleDict(members)
        self.register_buffer("weights", torch.ones(len(members)))

    def forward(self, x: dict[str, Tensor]) -> Output:
        outs = {m: member(x) for m, member in self.members.items()}
        logs = {m: out.fused.log_softmax(1) for m, out in outs.items()}
        fused = torch.einsum("m,mbk->bk", self.weights, torch.stack(tuple(logs.values())))
        return Output({m: out.features[m] for m, out in outs.items()}, fused, logs, {})


@dataclass
class UME(Method):
    """Combine the predictions of the uni-modal models of the same seed by ``rule``."""

    title = "UME"
    family = "ensemble"
    year = 2023
    baseline = True

    rule: Literal["mean", "product", "weighted"] = "mean"
    needs_teachers: ClassVar[bool] = True

    def epochs(self, epochs: int) -> int:
        return 0

    def build(self, make: Make, teachers: Teachers) -> Ensemble:
        return Ensemble(teachers)

    def start(self, model: Ensemble, setting: Setting) -> None:
        if self.rule == "weighted":
            logs = outputs(model, setting.validation).unimodal
            weights = fit_weights(torch.stack(tuple(logs.values())), setting.validation.y)
            model.weights.copy_(torch.from_numpy(weights))

    def predict(self, out: Output) -> Tensor:
        if self.rule == "mean":
            return torch.stack(tuple(out.unimodal.values())).logsumexp(0)
        return out.fused
