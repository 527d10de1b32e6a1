"""umt_lib: when should multi-modal models learn together?

The library consists of these packages; each imports only from those above it:

``data``        the data sets: for each, three checked splits of named modalities
``models``      encoders, fusion heads, and late fusion, which combines them
``losses``      the losses that methods add to cross-entropy: distillation, contrastive, ...
``evaluation``  accuracy, intervals, linear probes, interactions between modalities
``methods``     one file per training method: a few hooks around one loop
``training``    fit(), the training loop
``guide``       recommends UME, UMT or joint training for given features
``study``       the machinery of this study: params/*.yaml -> results/*.json -> book

What most users need can be imported from here: ``recommend``, ``METHODS``, ``DATASETS``,
``LateFusion``, ``fit`` and ``results``. Each is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {  # name: (module, attribute; None for the module itself)
    "recommend": ("umt_lib.guide", "recommend"),
    "METHODS": ("umt_lib.methods", "METHODS"),
    "DATASETS": ("umt_lib.data", "DATASETS"),
    "LateFusion": ("umt_lib.models", "LateFusion"),
    "fit": ("umt_lib.training", "fit"),
    "results": ("umt_lib.study.experiments.results", None),
}
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'umt_lib' has no attribute {name!r}")
    module, attribute = _PUBLIC[name]
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
