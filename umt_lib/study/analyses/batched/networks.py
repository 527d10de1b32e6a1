"""Many small late-fusion models in one forward pass: a model axis G in front of every tensor.

The parameters are those of :class:`umt_lib.models.LateFusion` with MLP encoders and a linear or MLP
head (and a linear layer of each modality's own, ``auxiliary``, where there are such), stacked under
their own names. The layers are written as batched matrix products: on a CPU
that took about two thirds of the time of ``vmap(functional_call)`` over the modules themselves.
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
    """Parameters of models of one shape, (G, ...) each, ready to be trained."""
    return stack_module_state(list(models))[0]


def unstack(params: Params, g: int) -> Params:
    """The state dict of model ``g``."""
    return {name: value[g].detach().clone() for name, value in params.items()}


def forward(params: Params, x: dict[str, Tensor]) -> Output:
    """Inputs {m: (G, B, ...)} -> Output; without encoders x holds the features."""
    whole = any(name.startswith("encoders") for name in params)
    return fuse(params, encode(params, x) if whole else x)


def encode(params: Params, x: dict[str, Tensor]) -> dict[str, Tensor]:
    """{m: (G, B, ...)} -> features {m: (G, B, d)}."""
    features = {}
    for m, value in x.items():
        hidden = _linear(params, f"encoders.{m}.1", value.flatten(2)).relu_()
        features[m] = _linear(params, f"encoders.{m}.3", hidden).relu_()
    return features


def fuse(params: Params, features: dict[str, Tensor]) -> Output:
    """Features {m: (G, B, d)} -> Output with fused logits (G, B, K) and what own layers say."""
    if "head.bias" in params:
        shares = [z @ params[f"head.weights.{m}"].mT for m, z in features.items()]
        fused = torch.stack(shares).sum(0) + params["head.bias"].unsqueeze(1)
    else:
        whole = torch.cat(tuple(features.values()), dim=2)
        hidden = _linear(params, "head.layers.0", whole).relu_()
        fused = _linear(params, "head.layers.2", hidden)
    own = [m for m in features if f"auxiliary.{m}.weight" in params]
    return Output(
        features, fused, {}, {m: _linear(params, f"auxiliary.{m}", features[m]) for m in own}
    )


def _linear(params: Params, name: str, x: Tensor) -> Tensor:
    weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
    return torch.baddbmm(bias.unsqueeze(1), x, weight.mT)


class Stack(NamedTuple):
    """Train, validation and test of many cells and seeds, a model axis G in front."""

    train: Split
    validation: Split
    test: Split


def stacked(splits: Sequence[Splits]) -> Stack:
    """Data sets of one shape -> splits with x {m: (G, n, ...)} and y (G, n)."""

    def joined(parts: Sequence[Split]) -> Split:
        x: dict[str, Tensor] = {m: torch.stack([p.x[m] for p in parts]) for m in parts[0].x}
        return Split(x, torch.stack([p.y for p in parts]))

    parts = ("train", "validation", "test")
    return Stack(*(joined([getattr(s, part) for s in splits]) for part in parts))
