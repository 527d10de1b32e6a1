"""Encoders: one modality's input to one feature vector, (B, ...) -> (B, dim)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class MLP(nn.Sequential):
    """For vectors and tiny pictures: (B, ...) flattened -> (B, dim)."""

    def __init__(self, shape: tuple[int, ...], hidden: int = 128, dim: int = 64):
        inputs = 1
        for size in shape:
            inputs *= size
        super().__init__(
            nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, dim), nn.ReLU()
        )
        self.dim = dim


class ImageCNN(nn.Module):
    """For pictures (B, C, H, W): 3x3 convolutions, halved after each, averaged -> (B, dim)."""

    def __init__(self, shape: tuple[int, ...], channels: tuple[int, ...] = (16, 32, 64)):
        super().__init__()
        self.layers = _blocks(nn.Conv2d, nn.BatchNorm2d, nn.MaxPool2d, 3, (shape[0], *channels))
        self.dim = channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).mean(dim=(2, 3))


class SeriesCNN(nn.Module):
    """For series (B, C, T): 1-D convolutions, halved after each, averaged over time -> (B, dim)."""

    def __init__(
        self, shape: tuple[int, ...], channels: tuple[int, ...] = (32, 64, 64), kernel: int = 5
    ):
        super().__init__()
        sizes = (shape[0], *channels)
        self.layers = _blocks(nn.Conv1d, nn.BatchNorm1d, nn.MaxPool1d, kernel, sizes)
        self.dim = channels[-1]

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).mean(dim=2)


def _blocks(convolution, normalise, pool, kernel: int, sizes: tuple[int, ...]) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU for each pair of sizes; pooling between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [pool(2)] if layers else []
        layers += [
            convolution(inputs, outputs, kernel, padding=kernel // 2, bias=False),
            normalise(outputs),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
