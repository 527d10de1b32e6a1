"""What the guide and the paper say of one case, and whether they are right on the test split.

A case is *decided* if the best way to train beats each other one by a paired 95% t-interval, else
it is a tie. A rule is *right* in a decided case if it names the best; "no clear winner" is not
right there. Its *regret* is the test accuracy of the best way less that of the way it makes one
take; after "no clear winner" that is UME, the cheapest.

The rule of the paper knows UME (mean) and UMT only, so it is scored among all ways, and again among
its own two, with a linear and with an MLP head; and *by sign*, which asks for no interval and never
says "no clear winner". A guide is worth asking only if it beats taking one way always: two rules
that ask nothing are scored as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from umt_lib.evaluation.intervals import t_interval
from umt_lib.guide import components
from umt_lib.guide.recommend import recommend, widened
from umt_lib.guide.recommendation import INTERACTIONS, UME, UMT, UNCLEAR, Recommendation
from umt_lib.guide.verdict import deciding

LAST, WIDE = "features", "features and inputs"
BOTH = "both"  # the verdict of :func:`umt_lib.guide.recommend` with the inputs beside
MAIN, LAYER = "ours, inputs for pairs", "ours, last layer"
PAPERS, SIGN = "paper's", "paper's, by sign"
OWN, OWN_SIGN = "paper's, own two ways", "paper's, own two ways, by sign"
OWN_MLP = "paper's, own two ways, MLP head"
ALL = {UME: "UME", UMT: "UMT", INTERACTIONS: "joint (MLP)"}
PAPER = {UME: "UME (mean)", UMT: "UMT"}
PAPER_MLP = {UME: "UME (mean)", UMT: "UMT (MLP)"}


class Rule(NamedTuple):
    """Whose verdict, from which view, the ways it takes, and those it is measured against.

    ``who`` may be a verdict: then it is always that one, whatever the data say.
    """

    who: str
    view: str
    takes: dict[str, str]
    among: dict[str, str]


RULES = {
    MAIN: Rule("ours", BOTH, ALL, ALL),
    LAYER: Rule("ours", LAST, ALL, ALL),
    "ours, inputs for all": Rule("ours", WIDE, ALL, ALL),
    PAPERS: Rule("paper", LAST, PAPER, ALL),
    SIGN: Rule("paper by sign", LAST, PAPER, ALL),
    OWN: Rule("paper", LAST, PAPER, PAPER),
    OWN_SIGN: Rule("paper by sign", LAST, PAPER, PAPER),
    OWN_MLP: Rule("paper", LAST, PAPER_MLP, PAPER_MLP),
    "always joint (MLP)": Rule(INTERACTIONS, LAST, ALL, ALL),
    "always UME": Rule(UME, LAST, ALL, ALL),
}


def verdicts(
    features: Mapping[str, np.ndarray],
    inputs: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    y: np.ndarray,
    groups: np.ndarray | None = None,
    folds: int = 5,
) -> dict[str, Recommendation]:
    """{view: what the guide says}; ``inputs`` of training samples and of those with features."""
    given = {LAST: features, WIDE: widened(features, components.of_inputs(*inputs))}
    return {view: recommend(z, y, groups, folds=folds) for view, z in given.items()}


def judged(
    rule: Rule, verdict: str, accuracy: Mapping[str, Sequence[float]]
) -> dict[str, bool | float | str]:
    """One case: {"decided", "best", "right", "unclear", "regret"}, regret in accuracy 0..1.

    Args:
        accuracy: {way to train: test accuracy per seed}.
    """
    means = {verdict: float(np.mean(accuracy[way])) for verdict, way in rule.among.items()}
    best = max(means, key=means.__getitem__)
    others = [way for verdict, way in rule.among.items() if verdict != best]
    top = np.asarray(accuracy[rule.among[best]])
    decided = all(t_interval(top - np.asarray(accuracy[way])).low > 0 for way in others)
    taken = rule.takes[UME if verdict == UNCLEAR else verdict]
    return {
        "decided": decided,
        "best": best,
        "right": decided and verdict == best,
        "unclear": verdict == UNCLEAR,
        "regret": max(*means.values(), (own := float(np.mean(accuracy[taken])))) - own,
    }


def recorded(
    found: Mapping[str, Recommendation], accuracy: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """What is kept of one case: verdicts, gains and rules."""
    said = {
        view: {
            "ours": one.verdict,
            "paper": one.paper,
            "paper by sign": UMT if one.gains["paper"].accuracy.mean > 0 else UME,
        }
        for view, one in found.items()
    }
    said[BOTH] = {"ours": deciding(found[LAST], found[WIDE]).verdict}
    return {
        "verdicts": said,
        "gains": {view: one.to_dict()["gains"] for view, one in found.items()},
        "rules": {
            name: judged(rule, said[rule.view].get(rule.who, rule.who), accuracy)
            for name, rule in RULES.items()
        },
    }
