"""What the command has to know of a data set: one ``RECIPE`` in each module it prepares with."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from umt_lib.data.prepare import archives
from umt_lib.data.prepare.store import Layout, Read, Sample
from umt_lib.data.splits import Split, holdout
from umt_lib.errors import StudyError

HELD_OUT = 0.1  # of the training samples, where the publishers give no validation split


@dataclass(frozen=True)
class Recipe:
    """From raw files to arrays.

    Attributes:
        settings: all settings and their defaults; each is an option of the command.
        listed: (root, settings) -> samples with their splits, and class names. Reads lists only.
        layout: settings -> {modality: (shape of a sample, type)}.
        read: (source, settings) -> {modality: array}; see :func:`store.prepare`.
        official: settings -> the publishers' counts; "train" is theirs, validation included.
        download: fetches what is still served into root and says what is left to do, one text.
    """

    settings: dict[str, Any]
    listed: Callable[[Path, dict[str, Any]], tuple[list[Sample], list[str]]]
    layout: Callable[[dict[str, Any]], Layout]
    read: Read
    official: Callable[[dict[str, Any]], dict[str, int]]
    download: Callable[[Path, dict[str, Any]], str]


def rows(path: Path, columns: int, what: str) -> list[list[str]]:
    """The rows of a csv file, each of ``columns`` fields.

    Raises:
        StudyError: the file is missing, not text, or a row has another number of fields.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            found = [row for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise StudyError(
            f"{path}: no such list; {what}, or give --download where it can be fetched"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise StudyError(f"{path}: not a readable list ({fault}); {what}") from None
    for number, row in enumerate(found, 1):
        if len(row) != columns:
            raise StudyError(
                f"{path}, row {number}: {len(row)} fields where {columns} are expected; {what}"
            )
    return found


def with_validation(samples: Sequence[Sample], fraction: float = HELD_OUT) -> list[Sample]:
    """The samples, ``fraction`` of the training ones moved to validation by the one fixed cut.

    Groups stay whole. Where each is of one class, the cut is of groups, stratified by class; a
    sample without a group counts as one.

    Raises:
        StudyError: too few groups to give every class one.
    """
    train = [s for s in samples if s.split == "train" and not s.left_out]
    names = np.array([s.group or s.id for s in train])
    y = torch.tensor([s.label for s in train])
    groups, first, of = np.unique(names, return_index=True, return_inverse=True)
    if (y[first][of] == y).all():
        if len(groups) * fraction < len(y.unique()) or y[first].bincount().max() < 2:
            raise StudyError(
                f"{len(groups)} training samples, or groups of them, are too few to hold out "
                f"{fraction:.0%} for validation with every class in it; check the list"
            )
        _, held = holdout(Split({"row": torch.arange(len(groups))}, y[first]), fraction)
        chosen = set(groups[held.x["row"]])
    else:
        _, held = holdout(Split({"row": torch.arange(len(y))}, y, names), fraction)
        assert held.groups is not None  # they were given
        chosen = set(held.groups)
    moved = {s.id for s in train if (s.group or s.id) in chosen}
    return [replace(s, split="validation") if s.id in moved else s for s in samples]


def without_shared(samples: Sequence[Sample]) -> list[Sample]:
    """The samples, training ones of a group that is in test too marked as left out.

    The publishers' test list stays as it is, so that accuracies on it can be compared.
    """
    tested = {s.group for s in samples if s.split == "test"} - {""}
    shared = "its video is in the test split too"
    return [
        replace(s, left_out=shared) if s.split != "test" and s.group in tested else s
        for s in samples
    ]


def fetch(url: str, root: Path) -> str:
    """Download a list into ``root``, unless it is there; says which bytes it is.

    Raises:
        StudyError: it cannot be downloaded, or pooch is not installed.
    """
    path = archives.fetch(url, root)
    return f"{path} (sha256 {archives.sha256(path)})"
