"""Pictures of data sets: drawn from the data, or shipped for machines that lack it.

``umt book --pictures`` draws those of the data sets that are neither generated nor part of a
package, where this machine has the data, into ``book/images/datasets/``, from where the page of the
data set shows them when the book is built without the data.
"""

from __future__ import annotations

import inspect
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import style as mpl_style
from PIL import Image

from umt_lib import paths
from umt_lib.data import DATASETS, Splits
from umt_lib.data.availability import available, is_built_in
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.study.experiments import provenance
from umt_lib.study.pipeline.collection import Study
from umt_lib.style import STYLE, Figure

FOLDER = paths.ROOT / "book/images/datasets"
LARGEST = 60_000  # bytes of a shipped picture
COLORS = 128  # of a shipped picture
WIDE = 820  # pixels


def draw(dataset: str, splits: Splits) -> Figure:
    """Training samples, drawn by the function ``picture`` of the data set."""
    with mpl_style.context(STYLE):
        drawn = _function(dataset)(splits)
    drawn.form = "png"
    return drawn


def shows(dataset: str) -> str:
    """What the picture shows, from the docstring: ``a training model of each class, ...``."""
    first, _, _ = inspect.cleandoc(_function(dataset).__doc__ or "").partition("\n")
    return re.sub("``.*?`` ", "", first.removeprefix("Plot").strip(", ."))


def _function(dataset: str) -> Callable[[Splits], Figure]:
    return vars(inspect.getmodule(DATASETS[dataset]))["picture"]


def shipped(dataset: str) -> Path | None:
    """The picture that comes with the book, if there is one."""
    file = FOLDER / f"{dataset}.png"
    return file if file.exists() else None


def first_splits(params: dict[str, Any]) -> Splits | None:
    """The splits of the first seed, or None if the data is not on this machine."""
    return provenance.splits(params, params["seeds"][0]) if available(params["dataset"]) else None


def write(study: Study) -> list[str]:
    """Write the pictures to ship; return the names of data sets that lack one and the data.

    Raises:
        StudyError: a picture is too large.
    """
    lacking = []
    for dataset in study.datasets:
        first = study.of(dataset)[0]
        if is_built_in(first.params["dataset"]) or not any(e.result for e in study.of(dataset)):
            continue
        if splits := first_splits(first.params):
            write_atomically(FOLDER / f"{dataset}.png", small(draw(dataset, splits), dataset))
        elif not shipped(dataset):
            lacking.append(dataset)
    return lacking


def small(drawn: Figure, dataset: str) -> bytes:
    """A figure as a png of few colours.

    Raises:
        StudyError: it is larger than LARGEST bytes.
    """
    raw, reduced = io.BytesIO(), io.BytesIO()
    with mpl_style.context(STYLE):
        drawn.savefig(raw, format="png", dpi=WIDE / drawn.get_figwidth(), facecolor="white")
    with Image.open(raw) as image:
        image.convert("RGB").quantize(COLORS).save(reduced, format="png", optimize=True)
    if reduced.tell() > LARGEST:
        raise StudyError(
            f"the picture of {dataset} has {reduced.tell():,} bytes, more than {LARGEST:,}: let "
            f"`picture` in its module draw fewer samples"
        )
    return reduced.getvalue()
