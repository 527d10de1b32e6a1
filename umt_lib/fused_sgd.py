"""SGD in one fused kernel per step: on a CPU three times as fast as PyTorch's default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn


class FusedSGD(torch.optim.SGD):
    """``torch.optim.SGD(fused=True)`` that is right for every method of this library.

    The kernel reads gradients and momenta in the memory order of their parameter, whatever their
    strides are. So both are given the strides of the parameter first. And momenta start at 0, which
    changes no step: in PyTorch those of all parameters have to start at the same step, but methods
    that train modalities in turn have no gradient for some parameters at first.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float
    ):
        super().__init__(parameters, lr, momentum, weight_decay=weight_decay, fused=True)
        for p in self._parameters():
            self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        self.register_step_pre_hook(self._align_gradients)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Reset the gradients, to None without the profiling of PyTorch's own method."""
        if not set_to_none:
            super().zero_grad(set_to_none)
            return
        for p in self._parameters():
            p.grad = None

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what :meth:`state_dict` returned; files do not keep strides."""
        super().load_state_dict(state_dict)
        for p, slots in self.state.items():
            slots["momentum_buffer"] = _like(p, slots["momentum_buffer"])

    def _parameters(self) -> Iterator[nn.Parameter]:
        for group in self.param_groups:
            yield from group["params"]

    def _align_gradients(self, *_: object) -> None:
        for p in self._parameters():
            if p.grad is not None and p.grad.stride() != p.stride():
                p.grad = _like(p, p.grad)


def _like(parameter: Tensor, values: Tensor) -> Tensor:
    """A copy of ``values`` with the strides of ``parameter``."""
    return torch.empty_like(parameter).copy_(values)
