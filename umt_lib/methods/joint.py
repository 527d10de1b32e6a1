"""Joint training: train all encoders and the head together, on the loss of the fused prediction.

    L = CE(H(z_1, ..., z_M), y)

This baseline is what the study questions: once the training error is 0, whatever an encoder has not
yet learned stays unlearned (modality laziness).

Source: the late-fusion baseline of Du et al., ICML 2023, section 3.
"""

from dataclasses import dataclass

from umt_lib.methods.base import Method


@dataclass
class Joint(Method):
    """Joint training, every hook at its default; ``head:`` in the params file chooses the head."""

    title = "joint"
    family = "late fusion"
    year = 2023
    baseline = True
