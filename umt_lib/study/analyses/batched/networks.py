"""The forward pass of many small late-fusion models at once, stacked along a first axis G.

The parameters are those of :class:`umt_lib.models.LateFusion` with MLP encoders and a linear or MLP
head (and, optionally, an ``auxiliary`` linear layer per modality), stacked under their names in the
state dict. The layers are batched matrix products: on a CPU they take about two thirds of the time
of ``vmap(functional_call)`` over the modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import stack_module_state

from umt_lib.data.splits import Split, Splits
from umt_lib.models import Output

Params = dict[str, Tensor]  # {name in the module's state dict: (G, ...)}


def stack(models: Sequence[nn.Module]) -> Params:
    """The parameters of models of one shape, stacked to (G, ...)."""
    return stack_module_state(list(models))[0]


def unstack(params: Params, g: int) -> Params:
    """The state dict of model ``g``."""
    return {name: value[g].detach().clone() for name, value in params.items()}


def forward(params: Params, x: dict[str, Tensor]) -> Output:
    """Inputs {m: (G, B, ...)} -> Output; without encoders, ``x`` contains the features."""
    whole = any(name.startswith("encoders") for name in params)
    return fuse(params, encode(params, x) if whole else x)


def encode(params: Params, x: dict[str, Tensor]) -> dict[str, Tensor]:
    """Inputs {m: (G, B, ...)} -> features {m: (G, B, d)}."""
    features = {}
    for m, value in x.items():
        hidden = _linear(params, f"encoders.{m}.1", value.flatten(2)).relu_()
        features[m] = _linear(params, f"encoders.{m}.3", hidden).relu_()
    return features


def fuse(params: Params, features: dict[str, Tensor]) -> Output:
    """Features {m: (G, B, d)} -> Output with fused logits (G, B, K) and auxiliary outputs."""
    if "head.bias" in params:
        logits = [z @ params[f"head.weights.{m}"].mT for m, z in features.items()]
        fused = torch.stack(logits).sum(0) + params["head.bias"].unsqueeze(1)
    else:
        whole = torch.cat(tuple(features.values()), dim=2)
        hidden = _linear(params, "head.layers.0", whole).relu_()
        fused = _linear(params, "head.layers.2", hidden)
    own = [m for m in features if f"auxiliary.{m}.weight" in params]
    auxiliary = {m: _linear(params, f"auxiliary.{m}", features[m]) for m in own}
    return Output(features, fused, {}, auxiliary)


def _linear(params: Params, name: str, x: Tensor) -> Tensor:
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)


class Stack(NamedTuple):
    """The splits of many data sets of one shape, stacked along a first axis G."""

    train: Split
    validation: Split
    test: Split


def stacked(splits: Sequence[Splits]) -> Stack:
    """Stack data sets of one shape, split by split."""
    parts = ("train", "validation", "test")
    return Stack(*(joined([getattr(s, part) for s in splits]) for part in parts))


def joined(splits: Sequence[Split]) -> Split:
    """Stack splits of one shape to x {m: (G, n, ...)} and y (G, n)."""
    x: dict[str, Tensor] = {m: torch.stack([s.x[m] for s in splits]) for m in splits[0].x}
    return Split(x, torch.stack([s.y for s in splits]))
