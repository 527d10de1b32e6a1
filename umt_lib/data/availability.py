"""Check whether a data set is on this machine, without loading it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from umt_lib import paths


def is_prepared(dataset: Mapping[str, Any]) -> bool:
    """Whether the data set's prepared folder is complete; True for data that needs no preparation.

    Args:
        dataset: as in a params file, {"name": ..., **options}.
    """
    folder = dataset.get("folder")
    return folder is None or (paths.prepared_dir(folder) / "manifest.json").exists()


def is_built_in(dataset: Mapping[str, Any]) -> bool:
    """Whether the data set is generated or installed with its packages, on every machine.

    Args:
        dataset: as in a params file, {"name": ..., **options}.
    """
    return dataset.get("folder") is None and _is_downloaded(dataset) is None


def available(dataset: Mapping[str, Any]) -> bool:
    """Whether the data set can be loaded without preparing or downloading anything.

    The module of a data set that is downloaded has a function ``is_downloaded``.

    Args:
        dataset: as in a params file, {"name": ..., **options}.
    """
    asked = _is_downloaded(dataset)
    return is_prepared(dataset) and (asked is None or asked())


def _is_downloaded(dataset: Mapping[str, Any]) -> Callable[[], bool] | None:
    """The function of the data set's module that says whether the data was downloaded, if any."""
    from umt_lib.data import DATASETS  # takes longer to import than all else in the run graph

    return getattr(inspect.getmodule(DATASETS[dataset["name"]]), "is_downloaded", None)
