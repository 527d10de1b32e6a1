"""The recipe of a data set: all that ``umt prepare`` needs to know of it, and shared functions.

Each module that prepares a data set has one, named ``RECIPE``.
"""

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

HELD_OUT = 0.1  # of the training samples, if the publishers give no validation split


@dataclass(frozen=True)
class Recipe:
    """How the raw files of a data set become arrays.

    Attributes:
        description: what the data set is and where its raw files belong; for the command's help.
        settings: {setting: default}; each setting is an option of the command.
        help: {setting: its description}, for the command's help.
        list_samples: (root, settings) -> samples with their splits, and class names. It reads lists
            and file names, not the samples.
        layout: settings -> {modality: (shape of a sample, type)}.
        read: (source, settings) -> {modality: array}; see :func:`store.prepare`.
        official_counts: settings -> the publishers' counts; "train" includes validation unless
            "validation" is there too.
        download: (root, settings) -> text for the user. Downloads into root what is still served;
            the text says what is left to do.
    """

    description: str
    settings: dict[str, Any]
    help: dict[str, str]
    list_samples: Callable[[Path, dict[str, Any]], tuple[list[Sample], list[str]]]
    layout: Callable[[dict[str, Any]], Layout]
    read: Read
    official_counts: Callable[[dict[str, Any]], dict[str, int]]
    download: Callable[[Path, dict[str, Any]], str]


def read_rows(path: Path, columns: int, hint: str) -> list[list[str]]:
    """Read the rows of a csv file, each of ``columns`` fields; empty lines are skipped.

    A byte-order mark, which spreadsheets write, is not part of the first field.

    Args:
        hint: what the file must contain; the end of an error message.

    Raises:
        StudyError: the file is missing or not text, or a row has another number of fields.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise StudyError(
            f"{path}: no such list; {hint}; use --download if the list can be downloaded"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise StudyError(f"{path}: not a readable list ({fault}); {hint}") from None
    for number, row in enumerate(rows, 1):
        if len(row) != columns:
            raise StudyError(
                f"{path}, row {number}: {len(row)} fields where {columns} are expected; {hint}"
            )
    return rows


def with_validation(samples: Sequence[Sample], fraction: float = HELD_OUT) -> list[Sample]:
    """Move ``fraction`` of the training samples to validation, by one fixed random split.

    Groups stay whole; a sample without a group is a group of its own. If every group is of one
    class, the split is stratified by class over groups.

    Raises:
        StudyError: there are no training samples, or too few groups for every class to be in
            validation.
    """
    train = [s for s in samples if s.split == "train" and not s.left_out]
    if not train:
        raise StudyError(
            f"{len(samples)} samples are listed, none of them for training; check --root, and the "
            f"list or the folders of the training split in it"
        )
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
    """Mark training samples as left out whose group is in the test split too.

    The publishers' test list stays as it is, so that accuracies on it can be compared.
    """
    tested = {s.group for s in samples if s.split == "test"} - {""}
    reason = "its video is in the test split too"
    return [
        replace(s, left_out=reason) if s.split != "test" and s.group in tested else s
        for s in samples
    ]


def fetch_list(url: str, root: Path) -> str:
    """Download a list into ``root`` unless it is there; return "<path> (sha256 <digest>)".

    Raises:
        StudyError: the list cannot be downloaded, or pooch is not installed.
    """
    path = archives.fetch(url, root)
    return f"{path} (sha256 {archives.sha256(path)})"
