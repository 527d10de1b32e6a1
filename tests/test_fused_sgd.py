"""FusedSGD takes the steps of PyTorch's plain SGD, also where its fused kernel alone does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from umt_lib.files import load_tensors, save_tensors
from umt_lib.fused_sgd import FusedSGD


def layers() -> nn.ModuleList:
    """A convolution whose weight is not stored in the order of its dimensions, and a layer."""
    torch.manual_seed(0)
    convolution = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return nn.ModuleList([convolution, nn.Linear(4, 2)])


def plain(parameters) -> torch.optim.SGD:
    return torch.optim.SGD(parameters, 0.1, 0.9, weight_decay=0.01, foreach=False, fused=False)


def fused(parameters) -> FusedSGD:
    return FusedSGD(parameters, 0.1, 0.9, 0.01)


def take_steps(model: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
    """Steps with gradients in the order of the dimensions; the layer has one every other step."""
    for number in range(first, last):
        optimizer.zero_grad()
        stream = torch.Generator().manual_seed(number)
        for name, p in model.named_parameters():
            gradient = torch.randn(p.shape, generator=stream)
            if name.startswith("0") or number % 2:
                p.grad = gradient
        optimizer.step()


def weights(model: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_the_steps_are_those_of_plain_sgd():
    one, other = layers(), layers()
    take_steps(one, plain(one.parameters()), 0, 6)
    take_steps(other, fused(other.parameters()), 0, 6)
    torch.testing.assert_close(weights(other), weights(one), rtol=1e-6, atol=1e-6)
    assert not torch.equal(weights(one), weights(layers()))


def test_momenta_read_from_a_file_give_the_same_steps(tmp_path):
    whole, resumed = layers(), layers()
    optimizer = fused(whole.parameters())
    take_steps(whole, optimizer, 0, 3)
    state, path = optimizer.state_dict(), tmp_path / "momenta.safetensors"
    save_tensors(path, {str(i): s["momentum_buffer"] for i, s in state["state"].items()}, {})
    state["state"] = {int(i): {"momentum_buffer": v} for i, v in load_tensors(path)[0].items()}
    resumed.load_state_dict(whole.state_dict())
    other = fused(resumed.parameters())
    other.load_state_dict(state)
    for model, runs in ((whole, optimizer), (resumed, other)):
        take_steps(model, runs, 3, 6)
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.parametrize("to_none", [True, False])
def test_gradients_are_reset_to_none_or_zero(to_none):
    model = layers()
    optimizer = fused(model.parameters())
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    optimizer.zero_grad(set_to_none=to_none)
    assert all(p.grad is None if to_none else not p.grad.any() for p in model.parameters())
