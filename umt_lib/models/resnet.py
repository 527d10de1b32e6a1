"""ResNet-18 encoders for images, spectrograms, flow stacks and clips, from torchvision.

He et al. 2016, "Deep Residual Learning for Image Recognition": x <- relu(x + F(x)), two 3x3
convolutions in F. Tran et al. 2018, "A Closer Look at Spatiotemporal Convolutions for Action
Recognition": the same with 3x3x3 convolutions (R3D-18). The classifier is left out; the features
are the average over space (and time) after the last block, 512 numbers.

The 2-D network encodes each frame of a sample, and the feature vectors are averaged, as is usual in
this literature. For a number of channels C other than 3 the first convolution is replaced. With
ImageNet weights, the new kernel is the mean of the old one over R, G and B, times 3 / C, so that C
equal channels give the same output as 3 equal channels (Wang et al. 2016, "Temporal Segment
Networks", without the factor).

Images stay uint8 until they are on the device, which is a quarter of the data transfer.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn

from umt_lib.data.downloads import pretrained_weights
from umt_lib.errors import StudyError

if TYPE_CHECKING:
    import torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's R, G and B, in 0..1


class ResNet18(nn.Sequential):
    """ResNet-18 for images (B, C, H, W), or n frames (B, n, C, H, W) per sample -> (B, 512).

    uint8 is normalised here: three channels by ImageNet's statistics, others as (x/255 - 0.5) / s,
    where s is the average of ImageNet's standard deviations (0.5 is the zero of stored flow). Other
    types are not changed. The stages keep torchvision's names, ``conv1`` to ``layer4``.

    Args:
        shape: of one sample, (C, H, W) or (n, C, H, W).
        weights: "none" for random weights, "imagenet" for those of torchvision, which are
            downloaded once and kept in torch's cache (``TORCH_HOME``).

    Raises:
        StudyError: torchvision is missing, or the weights cannot be loaded.
    """

    def __init__(self, shape: tuple[int, ...], weights: Literal["none", "imagenet"] = "none"):
        models, channels = _torchvision().models, shape[-3]
        net = models.resnet18()
        if weights == "imagenet":
            weights_file = models.ResNet18_Weights.IMAGENET1K_V1
            net.load_state_dict(pretrained_weights(weights_file, "set weights: none"))
        if channels != 3:
            net.conv1 = _first(net.conv1, channels, averaged=weights == "imagenet")
        super().__init__(_without_classifier(net))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hints
        self.dim = net.fc.in_features
        _statistics(self, channels, axes=2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) or (B, n, C, H, W) -> (B, 512)."""
        frames = x.flatten(0, 1) if x.ndim == 5 else x  # (B * n, C, H, W)
        frames = frames.contiguous(memory_format=torch.channels_last)
        z = super().forward(normalised(self, frames)).mean(dim=(2, 3))
        return z.view(len(x), -1, self.dim).mean(1)


class ResNet3D18(nn.Sequential):
    """ResNet-18 for clips of n frames, convolved over time as well: (B, n, 3, H, W) -> (B, 512).

    The weights are random, because the published ones were trained on Kinetics-400, a data set of
    this study. uint8 is normalised as in :class:`ResNet18`. The stages are ``stem`` and ``layer1``
    to ``layer4``.

    Args:
        shape: of one sample, (n, 3, H, W).

    Raises:
        StudyError: torchvision is missing.
    """

    def __init__(self, shape: tuple[int, ...]):
        net = _torchvision().models.video.r3d_18()
        super().__init__(_without_classifier(net))
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self.dim = net.fc.in_features
        _statistics(self, shape[-3], axes=3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, n, 3, H, W) -> (B, 512)."""
        x = x.transpose(1, 2).contiguous(memory_format=torch.channels_last_3d)  # (B, 3, n, H, W)
        return super().forward(normalised(self, x)).mean(dim=(2, 3, 4))


def _torchvision() -> torchvision:
    """Import torchvision only when it is used: the study on small data does not need it."""
    try:
        import torchvision
    except ImportError:
        raise StudyError(
            "the ResNet encoders need torchvision, which is not installed; install it with: "
            "pip install -e '.[media]'"
        ) from None
    return torchvision


def _first(conv: nn.Conv2d, channels: int, averaged: bool) -> nn.Conv2d:
    """``conv`` for ``channels`` inputs, initialised as in torchvision or from the RGB kernel."""
    kernel, stride, padding = cast(Any, (conv.kernel_size, conv.stride, conv.padding))
    new = nn.Conv2d(channels, conv.out_channels, kernel, stride, padding, bias=False)
    if averaged:
        kernel = conv.weight.detach().sum(1, keepdim=True) / channels
        new.weight.data.copy_(kernel.expand_as(new.weight))
    else:
        nn.init.kaiming_normal_(new.weight, mode="fan_out", nonlinearity="relu")
    return new


def _without_classifier(net: nn.Module) -> OrderedDict[str, nn.Module]:
    """The stages of ``net`` by name, up to the last feature map."""
    return OrderedDict((n, m) for n, m in net.named_children() if n not in ("avgpool", "fc"))


def _statistics(encoder: nn.Module, channels: int, axes: int) -> None:
    """Register buffers ``mean`` and ``std`` in units of uint8, which broadcast over (C, *axes)."""
    other = (0.5,) * channels, (sum(STD) / 3,) * channels
    for name, values in zip(("mean", "std"), (MEAN, STD) if channels == 3 else other, strict=True):
        buffer = 255 * torch.tensor(values).view(-1, *[1] * axes)
        encoder.register_buffer(name, buffer, persistent=False)


def normalised(encoder: Any, x: Tensor) -> Tensor:
    """``x`` as floating point numbers, uint8 standardised by ``encoder.mean`` and ``.std``."""
    return (x.float() - encoder.mean) / encoder.std if x.dtype == torch.uint8 else x.float()
