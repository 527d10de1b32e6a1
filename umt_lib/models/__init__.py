"""Models: encoders and fusion heads by name, and :func:`build`, which combines them."""

from collections.abc import Callable
from typing import Any

from torch import nn

from umt_lib.models.encoders import MLP, ImageCNN, SeriesCNN
from umt_lib.models.heads import AttentionHead, LinearHead, MLPHead
from umt_lib.models.late_fusion import LateFusion, Output
from umt_lib.models.resnet import ResNet3D18, ResNet18

ENCODERS: dict[str, Callable[..., nn.Module]] = {
    "mlp": MLP,
    "image-cnn": ImageCNN,
    "series-cnn": SeriesCNN,
    "resnet18": ResNet18,
    "resnet3d-18": ResNet3D18,
}
HEADS: dict[str, Callable[..., nn.Module]] = {
    "linear": LinearHead,
    "mlp": MLPHead,
    "attention": AttentionHead,
}


def build(
    encoders: dict[str, dict],
    head: dict,
    shapes: dict[str, tuple[int, ...]],
    classes: int,
    auxiliary: bool = False,
    bf16: bool = False,
) -> LateFusion:
    """Build a newly initialised model from specifications ``{"name": ..., **options}``.

    The encoders are initialised first, in order: with the same seed, methods that differ only in
    what follows the encoders start from the same encoders.

    Args:
        encoders: {modality: specification}.
        head: the specification of the head.
        shapes: {modality: shape of one sample}.
        auxiliary: add a linear head for each modality.
    """
    made = {m: _make(ENCODERS, spec, shapes[m]) for m, spec in encoders.items()}
    dims = {m: encoder.dim for m, encoder in made.items()}
    fusion = _make(HEADS, head, dims, classes)
    own: dict[str, nn.Module] | None = None
    if auxiliary:
        own = {m: nn.Linear(d, classes) for m, d in dims.items()}
    return LateFusion(made, fusion, own, bf16)


def _make(registry: dict[str, Callable[..., nn.Module]], spec: dict, *inputs) -> Any:
    options = {key: value for key, value in spec.items() if key != "name"}
    return registry[spec["name"]](*inputs, **options)


__all__ = ["ENCODERS", "HEADS", "LateFusion", "Output", "build"]
