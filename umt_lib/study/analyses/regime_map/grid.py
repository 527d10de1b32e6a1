"""The cells of the maps, and the generated data of each cell, which does not depend on the map."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from umt_lib.data import digit_pairs, synthetic
from umt_lib.data.splits import Splits
from umt_lib.errors import StudyError, nearest
from umt_lib.training import Training


class Cell(NamedTuple):
    """One cell of a map: the strengths of its features and its sample size.

    Attributes:
        uni: reliability of the uni-modal feature of the first modality, 0..1.
        paired: reliability of the paired feature, 0..1.
        asymmetry: weakness of the second modality, 0..1: the reliability of its uni-modal feature
            is ``uni * (1 - asymmetry)``.
        n_train: number of training samples.
    """

    uni: float
    paired: float
    asymmetry: float
    n_train: int

    @property
    def second(self) -> float:
        """Reliability of the uni-modal feature of the second modality."""
        return self.uni * (1 - self.asymmetry)

    def stream(self, seed: int) -> int:
        """The seed of the data and the initialisation for this cell and ``seed``."""
        return int(hashlib.sha256(json.dumps([*self, seed]).encode()).hexdigest()[:12], 16)

    @property
    def bayes(self) -> dict[str, float]:
        """Best possible accuracy of each modality, of an additive model, and of any model.

        In the limit of no noise; see :func:`umt_lib.data.synthetic.bayes`.
        """
        return synthetic.bayes({"a": (self.uni,), "b": (self.second,)}, (self.paired,), CLASSES)


CLASSES = 2
BATCH = 128


@dataclass(frozen=True)
class Grid:
    """The cells of a map (all combinations of the axes), its data set and its networks."""

    dataset: str
    load: Callable[..., Splits]
    options: Callable[[Cell], dict[str, Any]]
    axes: dict[str, tuple]
    hidden: int = 32
    dim: int = 16
    updates: int = 160  # SGD steps of every training, for all sample sizes
    learning_rate: float = 0.2
    n_validation: int = 500
    n_test: int = 2000

    @property
    def cells(self) -> list[Cell]:
        """All cells, sorted by sample size."""
        cells = [Cell(*values) for values in product(*(self.axes[a] for a in Cell._fields))]
        return sorted(cells, key=lambda cell: cell.n_train)

    def data(self, cell: Cell, seed: int) -> Splits:
        """The data of one cell and seed; every seed draws new data."""
        sizes = {"n_validation": self.n_validation, "n_test": self.n_test}
        options = {**sizes, **self.options(cell), "classes": CLASSES}
        return self.load(n_train=cell.n_train, data_seed=cell.stream(seed), **options)

    def training(self, n_train: int) -> Training:
        """The training schedule: the number of epochs for ``updates`` steps, at least one."""
        epochs = max(1, self.updates // -(-n_train // BATCH))
        return Training(epochs=epochs, batch_size=BATCH, learning_rate=self.learning_rate)

    @property
    def encoder(self) -> dict[str, Any]:
        """The spec of all encoders."""
        return {"name": "mlp", "hidden": self.hidden, "dim": self.dim}

    @property
    def heads(self) -> dict[str, dict[str, Any]]:
        """The specs of the heads, by name."""
        return {"linear": {"name": "linear"}, "mlp": {"name": "mlp", "hidden": self.hidden}}


def _synthetic(cell: Cell) -> dict[str, Any]:
    uni = {"uni_a": (cell.uni, cell.uni / 2), "uni_b": (cell.second, cell.second / 2)}
    return {**uni, "paired": (cell.paired,)}


def _digit_pairs(cell: Cell) -> dict[str, Any]:
    return {"q_left": cell.uni, "q_right": cell.second, "r": cell.paired}


def _steps(first: int, last: int, parts: int) -> tuple[float, ...]:
    return tuple(i / parts for i in range(first, last + 1))


GRIDS = {
    "synthetic": Grid(
        "synthetic",
        synthetic.load,
        _synthetic,
        {
            "uni": _steps(1, 8, 10),
            "paired": _steps(0, 8, 8),
            "asymmetry": (0.0, 0.5, 1.0),
            "n_train": (512, 2048),
        },
    ),
    "digit-pairs": Grid(
        "digit-pairs",
        digit_pairs.load,
        _digit_pairs,
        {
            "uni": (0.1, 0.3, 0.5, 0.7, 0.9),
            "paired": (0.0, 0.25, 0.5, 0.75, 1.0),
            "asymmetry": (0.0,),
            "n_train": (2048,),
        },
        hidden=64,
    ),
}


def grid(dataset: str) -> Grid:
    """The grid of ``dataset``; StudyError if it has none."""
    if dataset not in GRIDS:
        raise StudyError(f"there is no map of {dataset!r}{nearest(dataset, GRIDS)}")
    return GRIDS[dataset]
