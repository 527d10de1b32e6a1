"""Budget control of UMT: joint training for UMT's whole budget.

UMT passes every sample through every encoder once per epoch twice over: for the teachers and for
the student. Joint training gets the same number of encoder passes, so ``factor`` times the epochs.
A gain of UMT that this control shares is a gain of training longer.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

from umt_lib.methods.joint import Joint


@dataclass
class JointLonger(Joint):
    """``factor`` = 2: teachers and student together cost two joint trainings."""

    title = "joint, double budget"
    family = "late fusion"
    year = 2026
    baseline = True

    factor: PositiveInt = 2

    def epochs(self, epochs: int) -> int:
        return self.factor * epochs
