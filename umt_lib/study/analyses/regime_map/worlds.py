"""The worlds of the maps: generated data whose features are set by dials, cell by cell.

A *world* is a loader of generated data with its dials. A *cell* is one value of every dial; among
the dials are the number of training samples ``n_train`` and, where training length varies, the
number of ``updates``. The data of a cell depend on its values and the seed, not on the map.

    synthetic        uni-modal features and one paired feature (XOR)
    digit-pairs      the same features, shown by images of digits
    lazy             many uni-modal features, and a second modality of smaller scale: it keeps its
                     information, but its gradients are smaller, so that joint training fits the few
                     samples with the first modality and then stops learning
    quiet-pairs      XOR with a scale for the uni-modal features and one for the paired feature
    shared-nuisance  a nuisance in both modalities, which a linear head can remove
    two-way-tables   features that cause the label, with interactions, and unbalanced classes
    graded-pairs     paired features of which each half shows a little of the label

In the last four, dial ``quiet`` is the scale of the uni-modal features of the second modality, and
``quiet_pair`` that of its paired features.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    GetPydanticSchema,
    NonNegativeInt,
    PositiveInt,
)

from umt_lib.data import (
    digit_pairs,
    graded_pairs,
    shared_nuisance,
    synthetic,
    two_way_tables,
)
from umt_lib.data.splits import Splits
from umt_lib.errors import StudyError, nearest
from umt_lib.study.analyses.values import Factor, Listed, Samples, Size
from umt_lib.training import Share, Training

Dials = dict[str, float]
Facts = dict[str, float]  # best possible accuracies, 0..1
UNBALANCED = (0.4, 0.3, 0.2, 0.1)  # the classes of two-way tables
QUIET = {"quiet": (0.15, 0.4, 1.0), "quiet_pair": (0.3, 1.0)}  # scales
LENGTHS = (150, 600)  # updates of short and of long training
MANY, SOME, FEW = 8, 6, 2  # uni-modal features of each modality


class _Axes(BaseModel):
    """The values that each dial can have; every world has some of the dials."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    uni: Listed[Share] = []
    paired: Listed[Share] = []
    asymmetry: Listed[Share] = []
    leak: Listed[Share] = []
    rho: Listed[Size] = []
    sig: Listed[Size] = []
    main: Listed[Size] = []
    gamma: Listed[Size] = []
    table: Listed[NonNegativeInt] = []
    quiet: Listed[Factor] = []
    quiet_pair: Listed[Factor] = []
    n_train: Listed[Samples] = []
    updates: Listed[PositiveInt] = []


Axes = Annotated[dict[str, list[float]], GetPydanticSchema(lambda _, handler: handler(_Axes))]


@dataclass(frozen=True)
class Cell:
    """One cell of a map: the value of every dial, in the order of the world's axes."""

    values: tuple[tuple[str, float], ...]

    @classmethod
    def at(cls, **dials: float) -> Cell:
        """The cell with these values.

        >>> Cell.at(uni=0.5, n_train=512)["uni"]
        0.5
        """
        return cls(tuple(dials.items()))

    def __getitem__(self, dial: str) -> Any:
        return self.dials[dial]

    @property
    def dials(self) -> Dials:
        """The values by dial."""
        return dict(self.values)

    @property
    def key(self) -> list[float]:
        """The values, as they are hashed."""
        return [value for _, value in self.values]

    def stream(self, seed: int) -> int:
        """The seed of the data and the initialisation for this cell and ``seed``."""
        return int(hashlib.sha256(json.dumps([*self.key, seed]).encode()).hexdigest()[:12], 16)


@dataclass(frozen=True)
class World:
    """Generated data with its dials, and the networks that are trained on it.

    Attributes:
        load: the loader of the data.
        options: the options of ``load`` for the dials, without the numbers of samples.
        axes: the values of each dial in the grid on which the guide is checked; a map has its own.
        bayes: the best possible accuracies for the dials, {name: 0..1}.
        paired: positions of the features of a modality that are paired; others are uni-modal.
        updates: SGD steps of every training, in worlds where it is not a dial.
    """

    load: Callable[..., Splits]
    options: Callable[[Dials], dict[str, Any]]
    axes: Mapping[str, Sequence[float]]
    bayes: Callable[[Dials], Facts]
    classes: int = 2
    paired: tuple[int, ...] = (-1,)
    hidden: int = 32
    dim: int = 16
    batch_size: int = 128
    updates: int = 160
    learning_rate: float = 0.2
    n_validation: int = 500
    n_test: int = 2000

    @property
    def cells(self) -> list[Cell]:
        """All cells, sorted by sample size."""
        return self.among(self.axes)

    def among(self, axes: Mapping[str, Sequence[float]], number: int = 0) -> list[Cell]:
        """``number`` cells drawn at random from all combinations of these values; 0 for all.

        They are sorted by sample size and number of updates.

        Raises:
            StudyError: the dials are not those of the world.
        """
        known = [*self.axes, *(d for d in ("updates",) if d not in self.axes)]
        for dial in axes:
            if dial not in known:
                raise StudyError(f"there is no factor {dial!r} in this world{nearest(dial, known)}")
        for dial in self.axes:
            if not axes.get(dial):
                raise StudyError(f"factor {dial!r} has no value; give one or more")
        names = [dial for dial in known if dial in axes]
        cells = [
            Cell(tuple(zip(names, values, strict=True)))
            for values in product(*(axes[name] for name in names))
        ]
        if 0 < number < len(cells):
            drawn = np.random.default_rng(0).choice(len(cells), number, replace=False)
            cells = [cells[i] for i in sorted(drawn)]
        return sorted(cells, key=lambda cell: (cell["n_train"], cell.dials.get("updates", 0)))

    def data(self, cell: Cell, seed: int) -> Splits:
        """The data of one cell and seed; every seed draws new data."""
        sizes = {"n_validation": self.n_validation, "n_test": self.n_test}
        sizes |= {"n_train": cell["n_train"], "data_seed": cell.stream(seed)}
        return self.load(**sizes, **self.options(cell.dials))

    def training(self, cell: Cell, longer: int = 1) -> Training:
        """The schedule: the number of epochs for the cell's ``updates``, at least one."""
        updates = int(cell.dials.get("updates", self.updates))
        epochs = longer * max(1, updates // -(-cell["n_train"] // self.batch_size))
        return Training(epochs, self.batch_size, self.learning_rate)


def _synthetic(dials: Dials) -> dict[str, Any]:
    uni, second = dials["uni"], _second(dials)
    return {"uni_a": (uni, uni / 2), "uni_b": (second, second / 2), "paired": (dials["paired"],)}


def _lazy(dials: Dials) -> dict[str, Any]:
    uni = (dials["uni"],) * MANY
    quiet = {"scale_b": 1 - dials["asymmetry"], "noise": 1.0}
    return {"uni_a": uni, "uni_b": uni, "paired": (dials["paired"],), **quiet}


def _digit_pairs(dials: Dials) -> dict[str, Any]:
    return {"q_left": dials["uni"], "q_right": _second(dials), "r": dials["paired"]}


def _noiseless(options: Callable[[Dials], dict], dials: Dials) -> Facts:
    """In the limit of no noise; see :func:`umt_lib.data.synthetic.bayes`."""
    given = options(dials)
    uni = {m: given[f"uni_{m}"] for m in ("a", "b")}
    return synthetic.bayes(uni, given["paired"], classes=2)


def _digits_bayes(dials: Dials) -> Facts:
    """If every digit is recognised."""
    uni: dict[str, Sequence[float]] = {"a": (dials["uni"],), "b": (_second(dials),)}
    return synthetic.bayes(uni, (dials["paired"],), classes=2)


def _exact(bayes: Callable[..., Facts], options: Callable[[Dials], dict], dials: Dials) -> Facts:
    """The ``bayes`` of a data set, whose options are some of those of its loader."""
    wanted = inspect.signature(bayes).parameters
    return bayes(**{k: v for k, v in options(dials).items() if k in wanted})


def _second(dials: Dials) -> float:
    """Reliability of the uni-modal feature of the second modality."""
    return dials["uni"] * (1 - dials["asymmetry"])


def _scales(dials: Dials, uni: int, paired: int) -> tuple[float, ...]:
    """The scales of the features of the second modality."""
    return (dials["quiet"],) * uni + (dials["quiet_pair"],) * paired


def _quiet_pairs(dials: Dials) -> dict[str, Any]:
    uni = (dials["uni"],) * SOME
    scales = _scales(dials, len(uni), 1)
    facts = {"classes": 2, "uni_a": uni, "uni_b": uni, "paired": (dials["paired"],), "leak": 0.0}
    return {**facts, "noise": 0.5, "scale_b": scales}


def _shared_nuisance(dials: Dials) -> dict[str, Any]:
    uni = (dials["uni"],) * SOME
    facts = {"classes": 4, "uni_a": uni, "uni_b": uni, "rho": dials["rho"], "sig": dials["sig"]}
    return {**facts, "noise": 0.25, "scale_b": _scales(dials, len(uni), 1)}


def _two_way_tables(dials: Dials) -> dict[str, Any]:
    """Half of the features interact; they are the paired features."""
    main, interact = (dials["main"],) * (2 * FEW), (dials["gamma"],) * FEW
    scales = (dials["quiet_pair"],) * FEW + (dials["quiet"],) * FEW
    facts = {"main_a": main, "main_b": main, "gamma": interact, "levels": 4, "prior": UNBALANCED}
    return {**facts, "table_seed": int(dials["table"]), "noise": 0.5, "scale_b": scales}


def _graded_pairs(dials: Dials) -> dict[str, Any]:
    uni, paired = (dials["uni"],) * FEW, (dials["paired"],)
    facts = {"classes": 3, "uni_a": uni, "uni_b": uni, "paired": paired, "leak": dials["leak"]}
    return {**facts, "noise": 0.5, "scale_b": _scales(dials, len(uni), 1)}


def _steps(first: int, last: int, parts: int) -> tuple[float, ...]:
    return tuple(i / parts for i in range(first, last + 1))


WORLDS = {
    "synthetic": World(
        synthetic.load,
        _synthetic,
        {
            "uni": _steps(1, 8, 10),
            "paired": _steps(0, 8, 8),
            "asymmetry": (0.0, 0.5, 1.0),
            "n_train": (512, 2048),
        },
        partial(_noiseless, _synthetic),
    ),
    "lazy": World(
        synthetic.load,
        _lazy,
        {
            "uni": (0.2, 0.3, 0.4, 0.5),
            "paired": (0.0, 0.5, 1.0),
            "asymmetry": (0.0, 0.5, 0.7, 0.85),
            "n_train": (512,),
        },
        partial(_noiseless, _lazy),
        updates=400,
    ),
    "quiet-pairs": World(
        graded_pairs.load,
        _quiet_pairs,
        {
            "uni": (0.3, 0.5),
            "paired": (0.5, 0.75, 1.0),
            **QUIET,
            "n_train": (512, 2048),
            "updates": LENGTHS,
        },
        partial(_exact, graded_pairs.bayes, _quiet_pairs),
        batch_size=64,
    ),
    "shared-nuisance": World(
        shared_nuisance.load,
        _shared_nuisance,
        {
            "uni": (0.2, 0.4),
            "rho": (0.5, 1.0, 2.0, 4.0),
            "sig": (0.5, 1.0),
            **QUIET,
            "n_train": (256, 512, 2048),
            "updates": LENGTHS,
        },
        partial(_exact, shared_nuisance.bayes, _shared_nuisance),
        classes=4,
        batch_size=64,
    ),
    "two-way-tables": World(
        two_way_tables.load,
        _two_way_tables,
        {
            "main": (0.5, 1.0),
            "gamma": (0.0, 0.5, 1.0, 2.0),
            "table": (0, 1),
            **QUIET,
            "n_train": (512, 2048),
            "updates": LENGTHS,
        },
        partial(_exact, two_way_tables.bayes, _two_way_tables),
        classes=4,
        paired=tuple(range(FEW)),
        batch_size=64,
    ),
    "graded-pairs": World(
        graded_pairs.load,
        _graded_pairs,
        {
            "uni": (0.3, 0.5),
            "paired": (0.6, 0.9),
            "leak": (0.1, 0.3),
            **QUIET,
            "n_train": (512, 2048),
            "updates": LENGTHS,
        },
        partial(_exact, graded_pairs.bayes, _graded_pairs),
        classes=3,
        batch_size=64,
    ),
    "digit-pairs": World(
        digit_pairs.load,
        _digit_pairs,
        {
            "uni": (0.1, 0.3, 0.5, 0.7, 0.9),
            "paired": (0.0, 0.25, 0.5, 0.75, 1.0),
            "asymmetry": (0.0,),
            "n_train": (2048,),
        },
        _digits_bayes,
        hidden=64,
    ),
}


def world(name: str) -> World:
    """The world called ``name``; StudyError if there is none."""
    if name not in WORLDS:
        raise StudyError(f"there is no map of {name!r}{nearest(name, WORLDS)}")
    return WORLDS[name]
