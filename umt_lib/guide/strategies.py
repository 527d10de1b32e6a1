"""Rank the strategies that apply to features, and say where a gain comes from.

Every strategy has a held-out accuracy and a cost; the ranking shows both. The *cheapest* one is the
strategy of least cost whose accuracy is at most half a point below that of the best, or the most
frequent class as long as no strategy is clearly more than half a point better. Joint training
and UMT have no accuracy here, because features of uni-modal encoders do not show what other
encoders would learn; their costs are :data:`TRAINED`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import norm

from umt_lib.guide.evidence import (
    ADDITIVE,
    BETTER,
    CALIBRATED,
    FREQUENT,
    LINEAR,
    MEAN,
    MLP,
    PAIRS,
    PRODUCT,
    WEIGHTED,
)
from umt_lib.guide.recommendation import Measure, Ranked

FLOOR = 0.005  # a smaller gain in accuracy does not justify a higher cost
COSTS = {  # strategy: (order of the cost, the cost with M modalities)
    FREQUENT: (0, "no training"),
    "alone": (1, "1 training"),
    MEAN: (2, "M trainings"),
    PRODUCT: (2, "M trainings"),
    CALIBRATED: (3, "M trainings, held-out predictions"),
    WEIGHTED: (3, "M trainings, held-out predictions"),
    LINEAR: (4, "M trainings, a linear head"),
    MLP: (5, "M trainings, a small network"),
    ADDITIVE: (6, "M trainings, held-out predictions, a small network"),
    PAIRS: (6, "M trainings, held-out predictions, a small network"),
    BETTER: (7, "M trainings, held-out predictions, M small networks"),
}
TRAINED = {  # the cost of what is trained from the inputs
    "joint training": "1 training",
    "UMT": "M + 1 trainings, and one more for each further distillation weight that is tried",
}
CAUSES = {  # what a gain may come from: the gain that measures it, see umt_lib.guide.verdict.GAINS
    "a better rule of combining": "combining",
    "a better uni-modal classifier": "classifiers",
    "a head on frozen features": "head",
    "paired features that a linear head can use": "linear pairs",
    "interactions": "pairs",
}


def cost(strategy: str) -> tuple[int, str]:
    """The order of a strategy's cost, and the cost in words; KeyError for a mere comparison.

    >>> cost("audio alone"), cost("frozen linear head")
    ((1, '1 training'), (4, 'M trainings, a linear head'))
    """
    return COSTS[strategy] if strategy in COSTS else COSTS[strategy.rsplit(" ", 1)[-1]]


def strategies(modalities: Sequence[str]) -> tuple[str, ...]:
    """The names of all strategies, in order of cost."""
    return (FREQUENT, *(f"{m} alone" for m in modalities), *list(COSTS)[2:])


def best(scores: Mapping[str, np.ndarray], among: Sequence[str]) -> str:
    """The strategy of highest held-out accuracy; of equal ones the cheapest."""
    return max(among, key=lambda name: scores[name][:, 1].mean())


def ranking(competitors: Mapping[str, Measure], behind: Mapping[str, Measure]) -> dict[str, Ranked]:
    """All strategies, the most accurate first.

    Args:
        behind: {strategy: accuracy of the best strategy minus its own}, paired.
    """
    order = sorted(behind, key=lambda name: (behind[name].accuracy.mean, cost(name)[0]))
    return {
        name: Ranked(cost(name)[1], competitors[name].accuracy, behind[name].accuracy)
        for name in order
    }


def cheapest(ranking: Mapping[str, Ranked]) -> str:
    """The cheapest strategy at most half a point below the best; of equal cost the most accurate.

    Always predicting the most frequent class costs nothing. So it is the cheapest as long as the
    best strategy is not clearly more than half a point better. As that strategy is the best of
    many, the interval is widened by Bonferroni's correction.
    """
    mean, low, *_ = ranking[FREQUENT].behind
    wider = norm.ppf(1 - 0.025 / len(ranking)) / norm.ppf(0.975)
    if mean - wider * (mean - low) <= FLOOR:
        return FREQUENT
    near = [name for name, ranked in ranking.items() if ranked.behind.mean <= FLOOR]
    return min(near, key=lambda name: (cost(name)[0], ranking[name].behind.mean))
