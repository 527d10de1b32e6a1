"""The strategies of the maps, as a table: what each trains, and what it costs.

Every strategy starts from the same encoders, has the same schedule and chooses its learning rate
and its weight on validation, from the same values. UME chooses its rule, and the uni-modal models,
which are also the teachers, choose their learning rate by their own validation accuracy.

    joint                     encoders and head together
    joint, wider              with twice the features: the control of "UMT, wider"
    joint, double budget      for twice the updates, as many samples as UMT with its teachers
    joint + uni-modal CE      with a uni-modal loss of every encoder
    UMT                       with distillation of the uni-modal features
    UMT, sub-space            only of the directions that the uni-modal classifiers use
    UMT, faded                with a weight that falls linearly to 0
    UMT, wider                into the first half of twice the features
    uni-modal init            joint training that starts from the uni-modal encoders
    frozen                    a head on the uni-modal encoders, which do not change
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from umt_lib.methods.base import Method
from umt_lib.methods.joint import Joint
from umt_lib.study.analyses.batched.losses import Auxiliary, Distilled, Subspace
from umt_lib.study.analyses.regime_map.ensembles import RULES

RATES = (0.03, 0.1, 0.3)  # learning rates
WEIGHTS = (0.3, 3.0, 30.0)  # of distillation; weight 0 is joint training
LOSSES = (0.3, 1.0)  # weights of uni-modal losses
NO_WEIGHT = (0.0,)
HEADS = {"linear": "linear", "MLP": "mlp"}  # as it is shown, and its name among the heads
UME = "UME"


class Option(NamedTuple):
    """One setting of a strategy, among which validation chooses; ``rule`` is for UME alone."""

    rate: float = 0.0
    weight: float = 0.0
    rule: str = ""


@dataclass(frozen=True)
class Strategy:
    """How one model is trained.

    Attributes:
        head: "linear" or "mlp".
        method: its loss.
        weights: the weights of the loss that are tried.
        start: which encoders it starts from; frozen ones do not change.
        wider: the number of features, as a multiple of that of the teachers.
        longer: the number of updates, as a multiple.
        fades: whether the weight falls to 0.
    """

    head: str = "linear"
    method: type[Method] = Joint
    weights: tuple[float, ...] = NO_WEIGHT
    start: Literal["new", "uni-modal", "frozen"] = "new"
    wider: int = 1
    longer: int = 1
    fades: bool = False

    @property
    def distils(self) -> bool:
        """Whether it learns from the features of uni-modal models."""
        return issubclass(self.method, Distilled)

    @property
    def needs_unimodal(self) -> bool:
        """Whether uni-modal models are trained first."""
        return self.distils or self.start != "new"

    @property
    def passes(self) -> int:
        """The cost of one training: samples that pass forward and backward through all encoders.

        In multiples of joint training. The uni-modal models together count as one, and so does
        training of wider encoders; evaluations and heads do not count.
        """
        return (self.longer if self.start != "frozen" else 0) + self.needs_unimodal


_KINDS = {
    "joint": Strategy(),
    "joint, wider": Strategy(wider=2),
    "joint, double budget": Strategy(longer=2),
    "joint + uni-modal CE": Strategy(method=Auxiliary, weights=LOSSES),
    "UMT": Strategy(method=Distilled, weights=WEIGHTS),
    "UMT, sub-space": Strategy(method=Subspace, weights=WEIGHTS),
    "UMT, faded": Strategy(method=Distilled, weights=WEIGHTS, fades=True),
    "UMT, wider": Strategy(method=Distilled, weights=WEIGHTS, wider=2),
    "uni-modal init": Strategy(start="uni-modal"),
    "frozen": Strategy(start="frozen"),
}
TRAINED = {
    f"{kind} ({shown})": replace(strategy, head=head)
    for kind, strategy in _KINDS.items()
    for shown, head in HEADS.items()
}
STRATEGIES = (UME, *TRAINED)


def options(name: str) -> list[Option]:
    """The settings of a strategy that are tried."""
    if name == UME:
        return [Option(rule=rule) for rule in RULES]
    return [Option(rate, weight) for weight in TRAINED[name].weights for rate in RATES]


def passes(name: str) -> int:
    """The cost of one training with the uni-modal models that it needs; see Strategy.passes."""
    return 1 if name == UME else TRAINED[name].passes
