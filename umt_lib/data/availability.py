"""Is a data set on this machine? Asked without loading it, by whatever runs many experiments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from umt_lib import paths


def prepared(dataset: Mapping[str, Any]) -> bool:
    """Whether the folder that a data set is prepared into, if it is, is finished.

    Args:
        dataset: as in a params file, {"name": ..., **options}.
    """
    folder = dataset.get("folder")
    return folder is None or (paths.prepared(folder) / "manifest.json").exists()


def at_hand(dataset: Mapping[str, Any]) -> bool:
    """Whether a data set can be loaded with nothing prepared or downloaded first.

    The module of one that may be downloaded has a function ``here``.
    """
    from umt_lib.data import DATASETS  # takes longer to import than all that the run graph asks

    module = inspect.getmodule(DATASETS[dataset["name"]])
    return prepared(dataset) and (not hasattr(module, "here") or module.here())
