"""Measured maps made by hand, whose right summary is known."""

from __future__ import annotations

import numpy as np

from umt_lib.study.analyses.regime_map.strategies import STRATEGIES, options, passes
from umt_lib.study.analyses.regime_map.worlds import WORLDS

TUNING, REPORT = [0, 1, 2], [10, 11, 12, 13]
NOISE = {3: np.array([0, 0.01, -0.01]), 4: np.array([0, 0.01, -0.01, 0.002])}


def cell(dials: dict, search: dict[str, float], test: dict[str, float]) -> dict:
    """A cell in which everything is at 0.7 except what is given, as means over seeds.

    A strategy named in ``test`` is as good in every seed relative to the others; so is the rest.
    """

    def scores(means: dict[str, float], seeds: int) -> dict[str, list[float]]:
        small = np.linspace(0, 0.0004, len(STRATEGIES))
        spread = [np.roll(NOISE[seeds], 1) * 0.01 * i for i in range(len(STRATEGIES))]
        return {
            name: list(means.get(name, 0.7 - small[i]) + NOISE[seeds] + spread[i])
            for i, name in enumerate(STRATEGIES)
        }

    return {
        "dials": dials,
        "bayes": {"additive": 0.8, "all": 0.9},
        "chosen": dict.fromkeys(STRATEGIES, 0),
        "search": scores(search, 3),
        "test": scores(test, 4),
    }


def world(name: str, cells: list[dict]) -> dict:
    return {
        "world": name,
        "axes": {dial: list(values) for dial, values in WORLDS[name].axes.items()},
        "tuning": TUNING,
        "report": REPORT,
        "options": {s: [o._asdict() for o in options(s)] for s in STRATEGIES},
        "passes": {s: passes(s) for s in STRATEGIES},
        "cells": cells,
    }


def place(name: str, **changed: float) -> dict:
    return {dial: values[0] for dial, values in WORLDS[name].axes.items()} | changed
