"""Encoders: map the input of one modality to a feature vector, (B, ...) -> (B, dim)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Multi-layer perceptron for vectors and tiny images: (B, ...) flattened -> (B, dim)."""

    def __init__(self, shape: tuple[int, ...], hidden: int = 128, dim: int = 64):
        inputs = 1
        for size in shape:
            inputs *= size
        super().__init__(
            nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, dim), nn.ReLU()
        )
        self.dim = dim


class ImageCNN(nn.Module):
    """Convolutional network for images: (B, C, H, W) -> (B, dim).

    3x3 convolutions with pooling by 2 between them, then the average over positions.
    ``stride`` is that of the first convolution.
    """

    def __init__(
        self, shape: tuple[int, ...], channels: tuple[int, ...] = (16, 32, 64), stride: int = 1
    ):
        super().__init__()
        self.layers = _blocks((shape[0], *channels), (3, 3), (stride, stride), (2, 2))
        self.dim = channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, dim)."""
        return self.layers(x.contiguous(memory_format=torch.channels_last)).mean(dim=(2, 3))


class SeriesCNN(nn.Module):
    """Convolutional network for time series: (B, C, T) -> (B, dim).

    Convolutions over time with pooling by 2 between them, then the average over time. A series is
    treated as an image of height 1: on a CPU that is 1.7 times as fast as ``nn.Conv1d``.
    ``stride`` is that of the first convolution.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: tuple[int, ...] = (16, 32, 64),
        kernel: int = 5,
        stride: int = 1,
    ):
        super().__init__()
        self.layers = _blocks((shape[0], *channels), (1, kernel), (1, stride), (1, 2))
        self.dim = channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) -> (B, dim)."""
        x = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return self.layers(x).mean(dim=(2, 3))


Pair = tuple[int, int]


def _blocks(sizes: tuple[int, ...], kernel: Pair, stride: Pair, pool: Pair) -> nn.Sequential:
    """Blocks of convolution, batch normalisation and ReLU, with pooling between them.

    The memory format channels_last is nearly twice as fast on a CPU.
    """
    layers: list[nn.Module] = []
    padding = (kernel[0] // 2, kernel[1] // 2)
    for inputs, outputs in pairwise(sizes):
        layers += [nn.MaxPool2d(pool)] if layers else []
        layers += [
            nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        ]
        stride = (1, 1)  # of the first convolution only
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
