"""Split an encoder into stages, for models that combine modalities before features are pooled.

The stages in order, followed by :func:`pooled`, are the encoder: same modules, same result.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from umt_lib.errors import StudyError
from umt_lib.models import resnet
from umt_lib.models.encoders import MLP, ImageCNN, SeriesCNN


def stages(encoder: nn.Module, modality: str) -> nn.ModuleList:
    """The stages of ``encoder``; each maps (B, ...) to (B, C, ...), where C is its :func:`width`.

    Raises:
        StudyError: an encoder of an unknown kind.
    """
    if isinstance(encoder, MLP):
        return _cut(encoder)
    if isinstance(encoder, ImageCNN | SeriesCNN):
        return _cut([_Image(), *encoder.layers])
    if isinstance(encoder, resnet.ResNet18 | resnet.ResNet3D18):
        return _of_resnet(encoder)
    raise StudyError(
        f"encoders.{modality}: {type(encoder).__name__} cannot be split into stages, so modalities "
        f"cannot be combined inside it; choose mlp, image-cnn, series-cnn or a ResNet"
    )


def width(stage: nn.Module) -> int:
    """The number of output channels of a stage."""
    return [p.shape[0] for p in stage.parameters() if p.ndim > 1][-1]


def pooled(x: Tensor) -> Tensor:
    """The mean over positions: (B, C, ...) -> (B, C)."""
    return x.mean(dim=tuple(range(2, x.ndim))) if x.ndim > 2 else x


def _cut(layers: Iterable[nn.Module]) -> nn.ModuleList:
    """Split after each ReLU."""
    found: list[list[nn.Module]] = [[]]
    for layer in layers:
        found[-1].append(layer)
        if isinstance(layer, nn.ReLU):
            found.append([])
    return nn.ModuleList(nn.Sequential(*stage) for stage in found if stage)


def _of_resnet(encoder: resnet.ResNet18 | resnet.ResNet3D18) -> nn.ModuleList:
    """The stem and layers 1 to 4 of a ResNet; a 2-D network is applied frame by frame."""
    over_time = isinstance(encoder, resnet.ResNet3D18)
    children = dict(encoder.named_children())
    stem = nn.Sequential(*(part for name, part in children.items() if "layer" not in name))
    parts = [stem, *(part for name, part in children.items() if "layer" in name)]
    parts = parts if over_time else [_Frames(part) for part in parts]
    return nn.ModuleList([nn.Sequential(_Standardised(encoder, over_time), parts[0]), *parts[1:]])


class _Image(nn.Module):
    """(B, C, T) or (B, C, H, W) to an image, the input of the small convolutional encoders."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.unsqueeze(2) if x.ndim == 3 else x
        return x.contiguous(memory_format=torch.channels_last)


class _Standardised(nn.Module):
    """(B, C, H, W) or (B, n, C, H, W), standardised; frames become (B, C, n, H, W)."""

    def __init__(self, encoder: nn.Module, over_time: bool):
        super().__init__()
        self.over_time = over_time
        for name in ("mean", "std"):
            self.register_buffer(name, getattr(encoder, name), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.over_time:
            x = x.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)
            return resnet.normalised(self, x)
        x = resnet.normalised(self, x)
        return x.transpose(1, 2) if x.ndim > 4 else x


class _Frames(nn.Module):
    """A stage of a 2-D network, applied to (B, C, H, W) or to each frame of (B, C, n, H, W)."""

    def __init__(self, stage: nn.Module):
        super().__init__()
        self.stage = stage

    def forward(self, x: Tensor) -> Tensor:
        frames = x.transpose(1, 2).flatten(0, 1) if x.ndim > 4 else x
        y = self.stage(frames.contiguous(memory_format=torch.channels_last))
        return y.unflatten(0, (len(x), -1)).transpose(1, 2) if x.ndim > 4 else y
