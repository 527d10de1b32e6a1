"""MMTM, multimodal transfer module: scale feature maps by gates computed from all modalities.

    E = relu(W_s [pool x_1; ...; pool x_M]),   x_m <- x_m * 2 sigmoid(W_m E)
    L = CE(H(z_1, ..., z_M), y)

Gates follow the last three stages of the encoders (in step, counted from the last; all stages where
there are fewer): of a ResNet these are its layers 2, 3 and 4. With every W_m at 0 gates are 1 and
this is joint training. E has 1/``ratio`` of the channels of all maps together.

Deviation: the paper averages the predictions of one linear head per modality. That average is a
linear head on all features, so the head is that of late fusion, and any other may be chosen; the
method's page lists what follows for the loss.

Source: Joze et al., CVPR 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models.intermediate import Gated, IntermediateFusion


@dataclass
class MMTM(Method):
    """Joint training of encoders with gates between them.

    The larger ``ratio``, the less the gates see of the maps.
    """

    title = "MMTM"
    family = "intermediate fusion"
    year = 2020
    baseline = False

    ratio: PositiveInt = 4

    def build(self, make: Make, teachers: Teachers) -> IntermediateFusion:
        model = make()
        return IntermediateFusion(model, Gated(model.encoders, ratio=self.ratio))
