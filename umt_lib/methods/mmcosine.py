"""MMCosine, multi-modal cosine loss: logits are cosines, so that no modality leads by its norm.

    l_m = s cos(W_m, z_m) = s (W_m[k] . z_m) / (|W_m[k]| |z_m|) for each class k
    L = CE(sum_m l_m, y)

Every modality adds between -s and s to a logit, however long its features or its weights are. There
is no bias. The larger s, the more certain a prediction can be: a probability is at most
1 / (1 + (K - 1) exp(-2 s M)).

``released`` changes the prediction, also on validation, and not the loss: main_CD.py of
github.com/GeWu-Lab/MMCosine_ICASSP23 (commit 214797c) trains on the equation above, but its
``valid`` classifies by the logits of the plain linear layer, sum_m W_m z_m + b. Its bias b has no
gradient and stays as it was initialised.

Deviation: that code can add a contrastive loss, whose weight is 0 by default; it is left out.

Source: Xu et al., ICASSP 2023; s is 10 in that code by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import ClassVar

from pydantic import PositiveFloat
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models import LateFusion
from umt_lib.models.heads import LinearHead


class CosineHead(nn.Module):
    """Scaled cosines between features and the rows of a linear head, whose bias is not trained.

    Args:
        plain: in evaluation mode, give the logits of the linear head instead.
    """

    def __init__(self, head: LinearHead, scale: float, plain: bool):
        super().__init__()
        self.linear, self.scale, self.plain = head, scale, plain
        head.bias.requires_grad_(False)

    def forward(self, features: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """{m: (B, d_m)} -> logits (B, K), and their :meth:`unimodal_logits`."""
        if self.plain and not self.training:
            return self.linear(features)
        logits = {
            m: self.scale * linear(normalize(features[m]), normalize(w))
            for m, w in self.linear.weights.items()
        }
        return reduce(add, logits.values()), logits

    def unimodal_logits(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        """Logits l_m, {m: (B, K)}, whose sum is the fused prediction."""
        return self(features)[1]


@dataclass
class MMCosine(Method):
    """Joint training on cosines.

    ``scale`` is s. No scale makes it joint training with a linear head.
    """

    title = "MMCosine"
    family = "late fusion"
    year = 2023
    baseline = False

    scale: PositiveFloat = 10.0
    released: bool = False
    needs_unimodal_logits: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> LateFusion:
        model = make()
        model.head = CosineHead(model.head, self.scale, self.released)
        return model
