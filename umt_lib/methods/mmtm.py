"""MMTM, multimodal transfer module: scale feature maps by gates computed from all modalities.

    E = relu(W_s [pool x_1; ...; pool x_M]),   x_m <- x_m * 2 sigmoid(W_m E)
    L = CE(H(z_1, ..., z_M), y)

Gates follow the last three stages of the encoders (in step, counted from the last; all stages where
there are fewer): of a ResNet these are its layers 2, 3 and 4. With every W_m at 0 gates are 1 and
this is joint training. E has a quarter of the maps' channels.

Deviation: the paper averages the predictions of one linear head per modality. That average is a
linear head on all features, so the head is that of late fusion, and any other may be chosen.

Source: Joze et al., CVPR 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

from umt_lib.methods.base import Make, Method, Teachers
from umt_lib.models.intermediate import Gated, IntermediateFusion


@dataclass
class MMTM(Method):
    """Joint training of encoders with gates between them."""

    title = "MMTM"
    family = "intermediate fusion"
    year = 2020
    baseline = False

    def build(self, make: Make, teachers: Teachers) -> IntermediateFusion:
        model = make()
        return IntermediateFusion(model, Gated(model.encoders))
