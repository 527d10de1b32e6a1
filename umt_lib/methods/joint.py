"""Joint training: all encoders and the head together, from the fused prediction alone.

    L = CE(H(z_1, ..., z_M), y)

The baseline under suspicion: once the training error is gone, whatever an encoder has not yet
learned stays unlearned (modality laziness).

Source: the late-fusion baseline of Du et al., ICML 2023, section 3.
"""

from dataclasses import dataclass

from umt_lib.methods.base import Method


@dataclass
class Joint(Method):
    """Every hook at its default; the head is chosen by ``head:`` in the params file."""

    title = "joint"
    family = "late fusion"
    year = 2023
    baseline = True
