"""A learnable task small enough for any test, and a bench that trains any method on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from umt_lib import models
from umt_lib.data.splits import Augment, Batch, Rows, Split, Splits
from umt_lib.methods import METHODS, Joint, Method, Setting
from umt_lib.models.inference import outputs
from umt_lib.training import Progress, Training, fit

CLASSES = 3
SHAPES = {"mlp": (6,), "series-cnn": (2, 8), "image-cnn": (1, 6, 6)}
ENCODERS = {
    "mlp": {"name": "mlp", "hidden": 16, "dim": 6},
    "series-cnn": {"name": "series-cnn", "channels": (4, 6), "kernel": 3},
    "image-cnn": {"name": "image-cnn", "channels": (4, 6)},
}
REQUIRED = {METHODS["unimodal"]: {"modality": "a"}, METHODS["lfm"]: {"rate": 1.0}}


def method(name: str, **options) -> Method:
    """A method with its required options filled in, and those that few epochs ask for."""
    cls = METHODS[name]
    required = next((given for base, given in REQUIRED.items() if issubclass(cls, base)), {})
    return cls(**{**required, **options})


@dataclass
class Scaled(Joint):
    """A method whose hyper-parameter has a known order: above 0 right, 0 guessing, below wrong.

    Between values above 0, the cross-entropy differs and no accuracy does.
    """

    scale: float = 1.0

    def predict(self, out):
        return self.scale * out.fused


class Bench:
    """Splits, models and teachers of one tiny task.

    Each modality is a class's code under heavy noise: alone it is worth about 80%, all together
    more; chance is 1/3.
    """

    def __init__(
        self,
        modalities: tuple[str, ...] = ("a", "b"),
        encoder: str = "mlp",
        head: str = "linear",
        samples: int = 150,
        augment: Augment | None = None,
        **training,
    ):
        self.modalities, self.encoder, self.head = modalities, encoder, head
        self.training = Training(
            **{"epochs": 6, "batch_size": 32, "learning_rate": 0.1, **training}
        )
        stream = torch.Generator().manual_seed(7)
        shape = SHAPES[encoder]
        codes = {m: torch.randn(CLASSES, *shape, generator=stream) for m in modalities}

        def split() -> Split:
            y = torch.randperm(samples, generator=stream) % CLASSES
            noise = {m: torch.randn(samples, *shape, generator=stream) for m in modalities}
            return Split({m: 0.8 * codes[m][y] + noise[m] for m in modalities}, y)

        names = tuple(map(str, range(CLASSES)))
        self.splits = Splits(split(), split(), split(), names, augment=augment)
        self._teachers: dict[str, models.LateFusion] = {}

    def make(
        self, modalities: tuple[str, ...] | None = None, auxiliary: bool = False
    ) -> models.LateFusion:
        """A fresh model, as ``Experiment.make`` gives it."""
        return models.build(
            dict.fromkeys(modalities or self.modalities, ENCODERS[self.encoder]),
            {"name": self.head},
            self.splits.shapes,
            CLASSES,
            auxiliary,
            self.training.precision == "bf16",
        )

    def teachers(self) -> dict[str, models.LateFusion]:
        """The uni-modal models of seed 0, frozen and in evaluation mode."""
        for m in self.modalities:
            if m not in self._teachers:
                teacher, _ = self.train(method("unimodal", modality=m))
                self._teachers[m] = teacher.requires_grad_(False)
        return {m: teacher.eval() for m, teacher in self._teachers.items()}

    def start(self, method: Method, seed: int = 0) -> nn.Module:
        """The model ``method`` trains, before the first epoch."""
        teachers = self.teachers() if method.needs_teachers else {}
        torch.manual_seed(seed)
        model = method.build(self.make, teachers)
        augmented = self.splits.augment is not None

        def learn(model: nn.Module, method: Method, train: Split, held: Split, epochs: int) -> int:
            splits = replace(self.splits, train=train, validation=held)
            training = replace(self.training, epochs=epochs, probe_every=0)
            return fit(model, method, splits, training, seed).samples

        splits = self.splits
        method.start(model, Setting(splits.train, splits.validation, teachers, augmented, learn))
        return model

    def train(self, method: Method, seed: int = 0, **how) -> tuple[nn.Module, Progress]:
        """The trained model and how it went."""
        model = self.start(method, seed)
        return model, fit(model, method, self.splits, self.training, seed, **how)

    def alike(self, one: Method, other: Method) -> bool:
        """Whether two methods train the same weights, batch statistics and curves, bit for bit."""
        (model, progress), (twin, same_progress) = self.train(one), self.train(other)
        weights = same(model.state_dict(), twin.state_dict())
        return weights and progress.curves == same_progress.curves

    def predict(self, method: Method, model: nn.Module) -> torch.Tensor:
        """Logits on the test split."""
        return method.predict(outputs(model, self.splits.test))

    def batch(self, start: int = 0, stop: int = 12) -> Batch:
        """Some training samples, not augmented."""
        rows = torch.arange(start, stop)
        part = self.splits.train.take(rows)
        return Batch(part.x, part.y, rows)

    def gradients(self, method: Method) -> dict[str, torch.Tensor]:
        """{parameter: gradient} of one batch at the start; parameters without one are left out."""
        model = self.start(method)
        batch = self.batch()
        method.backward(model, model(batch.x), batch)
        return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def jitter(x: Rows, stream: torch.Generator) -> dict[str, torch.Tensor]:
    """An augmentation: a little noise on every modality."""
    return {m: v[:] + 0.1 * torch.randn(v.shape, generator=stream) for m, v in x.items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether two state dicts agree in names and in every bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def copied(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A state dict as it is now."""
    return {name: tensor.clone() for name, tensor in tensors.items()}
