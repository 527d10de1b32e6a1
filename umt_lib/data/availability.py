"""Check whether a data set is on this machine, without loading it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from umt_lib import paths


def is_prepared(dataset: Mapping[str, Any]) -> bool:
    """Whether the data set's prepared folder is complete; True for data that needs no preparation.

    Args:
        dataset: as in a params file, {"name": ..., **options}.
    """
    folder = dataset.get("folder")
    return folder is None or (paths.prepared_dir(folder) / "manifest.json").exists()


def available(dataset: Mapping[str, Any]) -> bool:
    """Whether the data set can be loaded without preparing or downloading anything.

    The module of a data set that is downloaded has a function ``is_downloaded``.

    Args:
        dataset: as in a params file, {"name": ..., **options}.
    """
    from umt_lib.data import DATASETS  # takes longer to import than all else in the run graph

    asked = getattr(inspect.getmodule(DATASETS[dataset["name"]]), "is_downloaded", None)
    return is_prepared(dataset) and (asked is None or asked())
