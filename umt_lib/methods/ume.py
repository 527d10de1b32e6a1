"""UME, Uni-Modal Ensemble: combine separately trained uni-modal models without further training.

    mean      p = 1/M sum_m p_m                           (the usual reading of the paper)
    product   log p = pi + sum_m (log p_m - pi)           (right for views independent given y)
    weighted  log p = w_0 pi + sum_m w_m (log p_m - pi)   (w >= 0 fitted on validation)

p is normalised afterwards; pi are the log-frequencies of the classes in the training split. All
three are always reported: the choice of the rule can change UME's accuracy more than any training
method does. UME in headlines is the rule that validation chose. So that the choice is fair, the
validation score of ``weighted`` is cross-fitted: each sample is predicted with weights that were
fitted to other samples, and to other groups where a split has two or more.

Source: Du et al., ICML 2023, section 4; which rule the paper uses is not known to us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from sklearn.model_selection import GroupKFold, KFold
from torch import Tensor, nn

from umt_lib.data.splits import Split
from umt_lib.evaluation.ensemble_weights import fit_weights
from umt_lib.methods.base import Make, Method, Setting, Teachers
from umt_lib.models import Output
from umt_lib.models.inference import outputs

PARTS = 5  # of the validation split, for the cross-fitted prediction


class Ensemble(nn.Module):
    """Several uni-modal models; ``unimodal`` of the output are their log-probabilities.

    Buffers: ``prior`` (K,) pi, and ``weights`` (M + 1,), the last of which is w_0.
    """

    weights: Tensor
    prior: Tensor

    def __init__(self, members: Teachers):
        super().__init__()
        self.members = nn.ModuleDict(members)
        self.register_buffer("weights", torch.ones(len(members) + 1))
        self.register_buffer("prior", torch.zeros(()))  # uniform, until UME.start sets it

    def forward(self, x: dict[str, Tensor]) -> Output:
        outs = {m: member(x) for m, member in self.members.items()}
        logs = {m: out.fused.log_softmax(1) for m, out in outs.items()}
        fused = torch.einsum("m,mbk->bk", self.weights, self.parts(logs))
        return Output({m: out.features[m] for m, out in outs.items()}, fused, logs, {})

    def parts(self, logs: dict[str, Tensor]) -> Tensor:
        """What is weighted, (M + 1, B, K): log p_m - pi of each modality, and pi."""
        above = [log - self.prior for log in logs.values()]
        return torch.stack([*above, self.prior.expand_as(above[0])])


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
        y = setting.train.y
        model.prior = (torch.bincount(y) / len(y)).log()  # every class is in every split
        self.parts = model.parts
        if self.rule == "weighted":
            logs = outputs(model, setting.validation).unimodal
            weights = fit_weights(model.parts(logs), setting.validation.y)
            model.weights.copy_(torch.from_numpy(weights))

    def predict(self, out: Output) -> Tensor:
        if self.rule == "mean":
            return torch.stack(tuple(out.unimodal.values())).logsumexp(0)
        return out.fused

    def validate(self, out: Output, split: Split) -> Tensor:
        if self.rule != "weighted":
            return self.predict(out)
        y, parts, logits = split.y, self.parts(out.unimodal), torch.empty_like(out.fused)
        groups = 1 if split.groups is None else len(set(split.groups))
        if groups > 1:  # weights must not be fitted to other samples of the same group
            cut = GroupKFold(min(PARTS, groups)).split(logits.cpu(), groups=split.groups)
        else:
            cut = KFold(min(PARTS, len(y)), shuffle=True, random_state=0).split(logits.cpu())
        for fitted, held in cut:
            weights = torch.from_numpy(fit_weights(parts[:, fitted], y[fitted])).to(parts)
            logits[held] = torch.einsum("m,mbk->bk", weights, parts[:, held])
        return logits
