"""Joint training with the whole budget of UMT: the budget control of UMT.

UMT passes every sample through every encoder once per epoch of its teachers and once per epoch of
the student. Joint training gets the same number of encoder passes, so ``factor`` times the epochs.
Not counted: where inputs are augmented, UMT also runs the teachers forward on every batch.
A gain of UMT that this control has as well is a gain of longer training.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

from umt_lib.methods.joint import Joint


@dataclass
class JointLonger(Joint):
    """Joint training for ``factor`` times the epochs.

    ``factor`` = 2 if teachers train for as many epochs as the student.
    """

    title = "joint, UMT's budget"
    family = "late fusion"
    year = 2026
    baseline = True

    factor: PositiveInt = 2

    def epochs(self, epochs: int) -> int:
        return self.factor * epochs
