r"""Combine networks of which only the logits are public: UME by every rule, at every scale.

Rules, with the log-probabilities :math:`\log p_m` of each network after softmax:

- **mean**, **product**, **weighted**: those of :mod:`umt_lib.methods.ume`.
- **sum**: the sum of logits. A network's logits and its log-probabilities differ by one number per
  clip, so this is the sum of log-probabilities: *product* without subtracting the class prior.

A **scale** is a factor on the logits of each network, because softmax depends on it:

- **released**: 1, the logits as their authors released and summed them.
- **trained**: that on which cross-entropy was applied in training; nothing is fitted.
- **equal**: all networks get the same spread of logits, the mean of their spreads at *trained*.
- **temperature**: a temperature for each network, fitted by cross-entropy.

*weighted* has a factor for each network itself, so it has no scale. It starts from *trained*.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from umt_lib.data.splits import Split
from umt_lib.evaluation.calibration import fit_temperature
from umt_lib.methods.base import Setting
from umt_lib.methods.ume import UME, Ensemble
from umt_lib.models import Output
from umt_lib.models.inference import outputs

SCALES = ("released", "trained", "equal", "temperature")
SCALED_RULES = ("mean", "sum", "product")
RELEASED = "sum, released"  # what the authors of the networks do
WEIGHTED = "weighted"
RULES = (*(f"{rule}, {scale}" for scale in SCALES for rule in SCALED_RULES), WEIGHTED)


class Released(nn.Module):
    """A network of which only the logits are public: they are its input and its output."""

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    def forward(self, x: dict[str, Tensor]) -> Output:
        logits = x[self.name]
        return Output({self.name: logits}, logits, {}, {})


def factors(fit: Split, trained: dict[str, float]) -> dict[str, dict[str, float]]:
    """The factors of every scale, {scale: {network: factor}}.

    Args:
        fit: clips for *equal* and *temperature*, with the logits of each network as inputs.
        trained: the factors of *trained*, {network: factor}.
    """
    logits = {m: trained[m] * x for m, x in fit.x.items()}
    spread = {m: float((x - x.mean(1, keepdim=True)).std()) for m, x in logits.items()}
    common = float(np.mean(list(spread.values())))
    return {
        "released": dict.fromkeys(logits, 1.0),
        "trained": {m: trained[m] for m in logits},
        "equal": {m: trained[m] * common / spread[m] for m in logits},
        "temperature": {m: trained[m] / fit_temperature(x, fit.y) for m, x in logits.items()},
    }


def scaled(split: Split, by: dict[str, float]) -> Split:
    """The split with the logits of the networks in ``by``, times their factor."""
    return Split({m: factor * split.x[m] for m, factor in by.items()}, split.y, split.groups)


def combine(
    fit: Split, test: Split, trained: dict[str, float], training: Tensor
) -> dict[str, tuple[Tensor, Tensor]]:
    """The logits of the ensemble of all networks by every rule, {rule: (on fit, on test)}.

    Weights are fitted to ``fit``; what they predict there is cross-fitted over groups.

    Args:
        fit, test: clips, with the logits of each network of the ensemble as inputs.
        trained: see :func:`factors`.
        training: (K,), number of training samples of each class.
    """
    scales = factors(fit, trained)
    found = {}
    for name in RULES:
        rule, _, scale = name.partition(", ")
        by = scales[scale or "trained"]
        fitted, tested = scaled(fit, by), scaled(test, by)
        if name != WEIGHTED:  # logits are large: in single precision, many p would be equal to 1
            fitted, tested = _double(fitted), _double(tested)
        found[name] = _ume(rule, fitted, tested, training)
    return found


def _double(split: Split) -> Split:
    return Split({m: x.double() for m, x in split.x.items()}, split.y, split.groups)


def _ume(rule: str, fit: Split, test: Split, training: Tensor) -> tuple[Tensor, Tensor]:
    counts = torch.ones_like(training) if rule == "sum" else training  # the class prior
    labels = torch.arange(len(counts)).repeat_interleave(counts)
    method = UME(rule="product" if rule == "sum" else rule)  # type: ignore[arg-type]
    members: dict[str, Any] = {m: Released(m) for m in fit.x}
    model = Ensemble(members)
    method.start(model, Setting(Split({}, labels), fit, {}, False))
    model.to(next(iter(fit.x.values())).dtype)
    return method.validate(outputs(model, fit), fit), method.predict(outputs(model, test))
