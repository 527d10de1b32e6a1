"""MBT, multimodal bottleneck transformer: modalities exchange information by a few tokens only.

    layers 1..L-F       t_m <- layer_m(t_m)
    layers L-F+1..L     [t_m; b_m] <- layer_m([t_m; b]),   b <- mean_m b_m
    z_m = O_m mean(t_m),   l_m = M (W_m z_m + c/M),   logits = mean_m l_m = sum_m W_m z_m + c
    L = CE(mean_m l_m, y),      or mean_m CE(l_m, y) with ``token_losses``

t_m are the positions of the encoder's last map, before pooling (one token for an encoder without
maps), plus sinusoidal position encodings. b are ``bottlenecks`` learned tokens.

``token_losses`` trains each modality's prediction on its own, so it contains uni-modal losses: its
control is joint-auxiliary, not joint.

As in the authors' configuration (scenic/projects/mbt/configs/audioset/balanced_audioset_base.py of
github.com/google-research/scenic, commit 03c3032), tokens are averaged (the paper describes a CLS
token) and the gradient is clipped to a norm of 1, without which a transformer does not train with
the schedule that all methods share. Deviation: the model is small and trained from scratch. The
paper starts from a pretrained ViT-B on patches; numbers of pretrained models cannot be compared
with these.

Source: Nagrani et al., NeurIPS 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.errors import StudyError
from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models import Output
from umt_lib.models.intermediate import Bottlenecked, IntermediateFusion

SIZE = 64  # width of a token


@dataclass
class MBT(Method):
    """Joint training of a bottleneck transformer.

    The last ``fusion`` of its ``layers`` exchange tokens; with fewer than 2 nothing is exchanged.
    """

    title = "MBT"
    family = "intermediate fusion"
    year = 2021
    baseline = False

    layers: PositiveInt = 3
    fusion: NonNegativeInt = 2
    bottlenecks: PositiveInt = 4
    token_losses: bool = False
    needs_unimodal_logits: ClassVar[bool] = True

    def build(self, make: Make, teachers: Teachers) -> IntermediateFusion:
        if self.fusion > self.layers:
            raise StudyError(
                f"method.fusion is {self.fusion}, but method.layers only {self.layers}; fuse in as "
                f"many layers as there are, or fewer"
            )
        model = make()
        trunk = Bottlenecked(model.encoders, self.layers, self.fusion, self.bottlenecks, SIZE)
        return IntermediateFusion(model, trunk)

    def loss(self, out: Output, batch: Batch) -> Tensor:
        if not self.token_losses:
            return super().loss(out, batch)
        own = [cross_entropy(len(out.unimodal) * x, batch.y) for x in out.unimodal.values()]
        return torch.stack(own).mean()

    def backward(self, model: IntermediateFusion, out: Output, batch: Batch) -> Tensor:
        loss = super().backward(model, out, batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        return loss
