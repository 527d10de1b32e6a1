"""Score a rule over the cases of ``on_map.py``: shares and regret, with intervals over cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from umt_lib.evaluation.bootstrap import bootstrap_means
from umt_lib.evaluation.intervals import Interval, proportion_interval

Cases = Sequence[Mapping[str, Any]]
AIM_RIGHT, AIM_REGRET = 0.95, 0.003  # of decided cases; in accuracy, 0..1
OF_CASES = (
    "bayes",
    "seed",
    "held_out",
    "test",
    "verdicts",
    "gains",
    "rules",
)  # the rest names the cell
FEW = 5  # no share is reported for fewer cells


def scored(cases: Cases, rule: str) -> dict[str, Interval | None]:
    """Shares (0..1) and regret of a rule, with bootstrap intervals over cells.

    "right": the share of decided cases in which the rule is right; "named": the same among those in
    which it names a strategy; "unclear when decided" and "unclear when tied": the share of decided
    and of other cases in which it does not; "regret": the mean over all cases. None if there are
    too few cells.
    """
    found = [case["rules"][rule] for case in cases]
    cells = [tuple((k, v) for k, v in case.items() if k not in OF_CASES) for case in cases]
    decided = np.array([f["decided"] for f in found], dtype=bool)
    unclear = np.array([f["unclear"] for f in found], dtype=bool)

    def share(name: str, among: np.ndarray) -> Interval | None:
        values = np.array([f[name] for f in found], dtype=float)[among]
        where = [cells[i] for i in np.flatnonzero(among)]
        units = {cell: i for i, cell in enumerate(dict.fromkeys(where))}
        if len(units) < FEW:
            return None
        groups = np.array([units[cell] for cell in where])
        if (
            name != "regret" and len(set(values.tolist())) == 1
        ):  # a bootstrap interval would have no width
            return proportion_interval(len(units) * int(values[0]), len(units))
        return bootstrap_means(values[:, None], groups)[0]

    return {
        "right": share("right", decided),
        "named": share("right", decided & ~unclear),
        "unclear when decided": share("unclear", decided),
        "unclear when tied": share("unclear", ~decided),
        "regret": share("regret", np.ones_like(decided)),
    }


def paired_gain(case: Mapping[str, Any]) -> float:
    """What paired features can add in a case: the best accuracy minus the best that adds up."""
    return case["bayes"]["all"] - case["bayes"]["additive"]


def held_out(measured: Mapping[str, Any]) -> Cases:
    """The cases that were not used to set thresholds, each with its data set."""
    return [
        {"dataset": measured["dataset"], **case} for case in measured["cases"] if case["held_out"]
    ]


def pooled(measured: Mapping[str, Mapping[str, Any]]) -> Cases:
    """:func:`held_out` of all data sets together."""
    return [case for found in measured.values() for case in held_out(found)]
