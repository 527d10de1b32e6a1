"""The verdicts of all rules for one case, and whether they are right on the test split.

A case is *decided* if the best strategy is better than every other one by a paired 95% t-interval.
A rule is *right* in a decided case if its verdict is the best strategy; "no clear winner" is not
right there. Its *regret* is the test accuracy of the best strategy minus that of the strategy that
the verdict recommends; after "no clear winner" that is UME, the cheapest.

The rule of the paper distinguishes UME (mean) and UMT only. It is therefore scored among all
strategies and also among its own two, with a linear and with an MLP head, and *by sign*: without an
interval, so that it never predicts "no clear winner". Rules that always predict the same strategy
are scored as well, because a guide is only useful if it is better than these. The guide's second
line, the cheapest strategy, has a regret of its own. Rules whose strategies were not all trained
are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from umt_lib.evaluation.intervals import t_interval
from umt_lib.guide import components
from umt_lib.guide.evidence import ADDITIVE, FREQUENT, LINEAR, MLP, PAIRS
from umt_lib.guide.recommend import recommend
from umt_lib.guide.recommendation import INTERACTIONS, UME, UMT, UNCLEAR, Recommendation
from umt_lib.guide.verdict import deciding, paper_rule

LAST, WIDE = "features", "features and inputs"
FROZEN, CHEAPEST_OF = "frozen", "cheapest"
BOTH = "both"  # the verdict of :func:`umt_lib.guide.recommend` with the inputs in ``extra``
MAIN, LAYER = "ours, inputs for pairs", "ours, last layer"
PAPERS, SIGN = "paper's", "paper's, by sign"
OWN, OWN_SIGN = "paper's, own two ways", "paper's, own two ways, by sign"
OWN_MLP = "paper's, own two ways, MLP head"
PAPERS_MLP, CHEAP = "paper's, MLP head", "ours, cheapest"
ALL = {UME: "UME", UMT: "UMT", INTERACTIONS: "joint (MLP)"}  # verdict: strategy
PAPER = {UME: "UME (mean)", UMT: "UMT"}
PAPER_MLP = {UME: "UME (mean)", UMT: "UMT (MLP)"}
CHEAPEST = {  # strategy of the guide's ranking: the one that is trained and tested for it
    FREQUENT: "UME",
    LINEAR: "frozen",
    MLP: "frozen (MLP)",
    ADDITIVE: "frozen (MLP)",
    PAIRS: "frozen (MLP)",
}


class Rule(NamedTuple):
    """A rule whose verdicts are scored.

    Attributes:
        who: whose verdict it is; a verdict itself for a rule that always predicts it.
        view: the features for which the verdict is given.
        takes: {verdict: strategy that is then used}.
        among: {verdict: strategy with which this is compared}.
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
    CHEAP: Rule(CHEAPEST_OF, LAST, CHEAPEST, ALL),
    PAPERS_MLP: Rule("paper, MLP head", LAST, PAPER_MLP, ALL | {UMT: "UMT (MLP)"}),
    "always frozen": Rule(FROZEN, LAST, {FROZEN: "frozen"}, ALL),
}


def verdicts(
    features: Mapping[str, np.ndarray],
    inputs: tuple[Mapping[str, Tensor], Mapping[str, Tensor]],
    y: np.ndarray,
    groups: np.ndarray | None = None,
    folds: int = 5,
) -> dict[str, Recommendation]:
    """{view: recommendation}; ``inputs`` are those of the training samples and of these samples."""
    more = components.of_inputs(*inputs)
    wide = {m: np.hstack([z, more[m]]) for m, z in features.items()}
    given = {LAST: features, WIDE: wide}
    return {view: recommend(z, y, groups, folds=folds) for view, z in given.items()}


def taken(rule: Rule, verdict: str) -> str:
    """The strategy that is used after a verdict; after "no clear winner" UME, the cheapest.

    >>> taken(RULES[CHEAP], "audio alone"), taken(RULES[CHEAP], "UME product")
    ('audio alone', 'UME')
    """
    if verdict == UNCLEAR or (rule.who == CHEAPEST_OF and verdict.startswith("UME")):
        return rule.takes.get(UME, UME)
    return rule.takes.get(verdict, verdict)


def outcome(
    rule: Rule, verdict: str, accuracy: Mapping[str, Sequence[float]]
) -> dict[str, bool | float | str]:
    """Score a verdict: {"decided", "best", "right", "unclear", "regret"}, regret in accuracy 0..1.

    Args:
        accuracy: {strategy: test accuracy per seed}.
    """
    means = {name: float(np.mean(accuracy[strategy])) for name, strategy in rule.among.items()}
    best = max(means, key=means.__getitem__)
    others = [strategy for name, strategy in rule.among.items() if name != best]
    top = np.asarray(accuracy[rule.among[best]])
    decided = all(t_interval(top - np.asarray(accuracy[other])).low > 0 for other in others)
    return {
        "decided": decided,
        "best": best,
        "right": decided and verdict == best,
        "unclear": verdict == UNCLEAR,
        "regret": max(*means.values(), (own := float(np.mean(accuracy[taken(rule, verdict)]))))
        - own,
    }


def record(
    found: Mapping[str, Recommendation], accuracy: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """The verdicts, the gains and the outcome of every rule, as they are written to a result."""
    verdicts = {
        view: {
            "ours": one.verdict,
            "paper": one.paper,
            "paper by sign": UMT if one.gains["paper"].accuracy.mean > 0 else UME,
            "paper, MLP head": paper_rule(one.gains, "paper, MLP head"),
            CHEAPEST_OF: one.cheapest,
        }
        for view, one in found.items()
    }
    verdicts[BOTH] = {"ours": deciding(found[LAST], found.get(WIDE, found[LAST])).verdict}
    return {
        "verdicts": verdicts,
        "gains": {view: one.to_dict()["gains"] for view, one in found.items()},
        "rules": {
            name: outcome(rule, verdicts[rule.view].get(rule.who, rule.who), accuracy)
            for name, rule in RULES.items()
            if rule.view in verdicts and _trained(rule, accuracy)
        },
    }


def _trained(rule: Rule, accuracy: Mapping[str, Sequence[float]]) -> bool:
    """Whether every strategy that the rule may use was trained."""
    used = {*rule.takes.values(), *rule.among.values()}
    alone = rule.who != CHEAPEST_OF or any(name.endswith(" alone") for name in accuracy)
    return alone and used <= set(accuracy)
