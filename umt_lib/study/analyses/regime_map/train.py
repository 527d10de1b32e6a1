"""Train strategies on many cells and seeds at once: one chunk of cells of the same schedule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from umt_lib.data.splits import Split
from umt_lib.methods.joint import Joint
from umt_lib.models import LateFusion, build
from umt_lib.study.analyses.batched.fit import Targets, features, fit, only, outputs, teacher_starts
from umt_lib.study.analyses.batched.losses import Auxiliary, Subspace, bases, constant, fading
from umt_lib.study.analyses.batched.networks import Params, Stack, stack, stacked
from umt_lib.study.analyses.regime_map import ensembles
from umt_lib.study.analyses.regime_map.strategies import TRAINED, UME, Option, Strategy
from umt_lib.study.analyses.regime_map.worlds import Cell, World

PARTS = ("validation", "test")
LOOKS = 25  # validations of a training, among which the epoch is chosen
Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Chunk:
    """The data of some cells and seeds, all of the same sizes; G = cells x seeds, cells first.

    All strategies of a cell and seed have the same data and the same initialisation of encoders, as
    in the experiments; uni-modal models have another.
    """

    world: World
    cells: Sequence[Cell]
    seeds: Sequence[int]

    @cached_property
    def data(self) -> Stack:
        """The splits, (G, n, ...)."""
        return stacked([self.world.data(c, seed) for c in self.cells for seed in self.seeds])

    @cached_property
    def starts(self) -> list[int]:
        """The seed of the initialisation of every model."""
        return [cell.stream(seed) for cell in self.cells for seed in self.seeds]

    @cached_property
    def shapes(self) -> Shapes:
        """{m: the shape of one sample}."""
        return {m: tuple(x.shape[2:]) for m, x in self.data.train.x.items()}

    def of_seeds(self, values: Sequence[float]) -> Tensor:
        """One value per cell -> one value per model, (G,)."""
        return torch.tensor(values).repeat_interleave(len(self.seeds))

    def accuracy(self, logits: dict[str, Tensor], part: str) -> list[list[float]]:
        """The accuracy of models on a part, for each cell that of every seed; see `correct`."""
        return self.by_cell(correct(logits[part], getattr(self.data, part).y))

    def by_cell(self, values: Tensor) -> list[list[float]]:
        """One value per model (G,) -> for each cell the value of every seed."""
        return values.double().view(len(self.cells), len(self.seeds)).tolist()

    def fit_unimodal(self, m: str, rates: Tensor) -> Params:
        """Train the uni-modal models of a modality, with a learning rate (G,) for each model."""
        starts = teacher_starts(self.starts, list(self.shapes).index(m))
        start = stack([initial(self.world, "linear", {m: self.shapes[m]}, s) for s in starts])
        train, validation = (only(s, m) for s in (self.data.train, self.data.validation))
        return fit(start, Joint(), train, validation, rates=rates, **self.schedule())

    def schedule(self, longer: int = 1) -> dict[str, Any]:
        """The options of every training: a schedule with at most LOOKS looks at validation."""
        made = self.world.training(self.cells[0], longer)
        return {"schedule": made, "every": -(-made.epochs // LOOKS), "strict": False}


@dataclass(frozen=True)
class Teachers:
    """The uni-modal models of a chunk, what they predict and their features."""

    chunk: Chunk
    params: dict[str, Params]

    @cached_property
    def splits(self) -> Stack:
        """The splits with the features of the uni-modal encoders as inputs."""
        return Stack(*(Split(features(self.params, s), s.y) for s in self.chunk.data))

    @cached_property
    def logits(self) -> dict[str, Tensor]:
        """{"validation", "test": log-probabilities of the uni-modal models, (G, M, n, K)}."""
        made = {}
        for part in PARTS:
            split = getattr(self.chunk.data, part)
            every = [outputs(params, only(split, m)).fused for m, params in self.params.items()]
            made[part] = torch.stack(every, dim=1).log_softmax(3)
        return made

    def logits_of(self, name: str, options: Sequence[Option]) -> dict[str, Tensor]:
        """Logits (G, n, K) of a strategy with one option for each cell, {part: ...}."""
        if name != UME:
            strategy = TRAINED[name]
            return self.predictions(strategy, self.fit(strategy, options))
        seeds = len(self.chunk.seeds)
        rules = [option.rule for option in options for _ in range(seeds)]
        every = {rule: self.ensemble(rule) for rule in dict.fromkeys(rules)}
        return {
            part: torch.stack([every[rule][part][g] for g, rule in enumerate(rules)])
            for part in PARTS
        }

    def unimodal(self, position: int) -> dict[str, Tensor]:
        """Log-probabilities (G, n, K) of the uni-modal models of one modality, {part: ...}."""
        return {part: logs[:, position] for part, logs in self.logits.items()}

    def ensemble(self, rule: str) -> dict[str, Tensor]:
        """Logits (G, n, K) of UME with this rule, {part: ...}; on validation cross-fitted."""
        held, y = self.logits["validation"], self.chunk.data.validation.y
        pi = ensembles.prior(self.chunk.data.train.y, held.shape[3])
        return {
            "validation": ensembles.cross_fitted(rule, held, pi, y),
            "test": ensembles.predict(rule, self.logits["test"], pi, held, y),
        }

    def fit(self, strategy: Strategy, options: Sequence[Option]) -> Params:
        """Train a strategy with one option for each cell."""
        chunk = self.chunk
        rates = chunk.of_seeds([option.rate for option in options])
        weights = chunk.of_seeds([option.weight for option in options])
        frozen = strategy.start == "frozen"
        train, validation, _ = self.splits if frozen else chunk.data
        share = (fading if strategy.fades else constant)(weights)
        return fit(
            self.start(strategy),
            strategy.method(),
            train,
            validation,
            targets=Targets(
                self.splits.train.x if strategy.distils else {},
                share,
                bases(self.params) if strategy.method is Subspace else {},
            ),
            rates=rates,
            **chunk.schedule(strategy.longer),
        )

    def start(self, strategy: Strategy) -> Params:
        """The parameters with which a strategy starts."""
        made = self._initial(strategy, auxiliary=strategy.method is Auxiliary)
        if strategy.wider > 1:
            made = widened(made, self._initial(strategy, wider=strategy.wider))
        if strategy.start == "uni-modal":
            for params in self.params.values():
                made |= {n: v for n, v in params.items() if n.startswith("encoders")}
        if strategy.start == "frozen":
            made = {n: v for n, v in made.items() if n.startswith("head")}
        return made

    def _initial(self, strategy: Strategy, **options: Any) -> Params:
        world, shapes = self.chunk.world, self.chunk.shapes
        starts = self.chunk.starts
        return stack([initial(world, strategy.head, shapes, s, **options) for s in starts])

    def predictions(self, strategy: Strategy, params: Params) -> dict[str, Tensor]:
        """Logits (G, n, K) of trained models of a strategy, {part: ...}."""
        data = self.splits if strategy.start == "frozen" else self.chunk.data
        return {part: outputs(params, getattr(data, part)).fused for part in PARTS}


def initial(
    world: World, head: str, shapes: Shapes, start: int, wider: int = 1, auxiliary: bool = False
) -> LateFusion:
    """A newly initialised model with the sizes of the world; ``start`` is its seed."""
    torch.manual_seed(start)
    encoder = {"name": "mlp", "hidden": world.hidden, "dim": wider * world.dim}
    spec: dict[str, Any] = {"name": head} | ({"hidden": world.hidden} if head == "mlp" else {})
    return build(dict.fromkeys(shapes, encoder), spec, shapes, world.classes, auxiliary)


def widened(narrow: Params, wide: Params) -> Params:
    """Wide models whose first features start as those of the narrow ones."""
    made = dict(wide)
    for name, value in narrow.items():
        if name.startswith("encoders"):
            made[name] = torch.cat([value, wide[name][:, value.shape[1] :]], dim=1)
    return made


def correct(logits: Tensor, y: Tensor) -> Tensor:
    """The share of correct samples of every model (G,); 0 for one whose training diverged."""
    right = (logits.argmax(2) == y).double().mean(1)
    return torch.where(logits.isnan().any(2).any(1), 0.0, right)
