"""From evidence to a verdict: our rule (see :mod:`umt_lib.guide`) and the rule of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from umt_lib.evaluation.bootstrap import bootstrap_means
from umt_lib.evaluation.intervals import Interval
from umt_lib.guide import cautions, strategies
from umt_lib.guide.checks import Inputs
from umt_lib.guide.evidence import (
    ADDITIVE,
    BEST,
    BETTER,
    CALIBRATED,
    LINEAR,
    MEAN,
    MLP,
    PAIRS,
    PRIOR_OFTEN,
    PRODUCT,
    UNPAIRED,
    Evidence,
    interacting,
)
from umt_lib.guide.recommendation import (
    INTERACTIONS,
    UME,
    UMT,
    UNCLEAR,
    Measure,
    Recommendation,
)
from umt_lib.guide.strategies import FLOOR

MARGIN = 0.02  # the largest loss in accuracy that the verdict "UME" may hide
NEAR = 0.75  # of half an interval: so far can other folds and initialisations move a measure
GAINS = {  # name: (competitor, baseline)
    "combining": (BEST, MEAN),
    "paper": (LINEAR, MEAN),
    "joint": (LINEAR, BEST),
    "classifiers": (BETTER, BEST),
    "joint over classifiers": (LINEAR, BETTER),
    "additive": (ADDITIVE, BEST),
    "additive over joint": (ADDITIVE, LINEAR),
    "pairs": (PAIRS, ADDITIVE),
    "pairs over joint": (PAIRS, LINEAR),
    "pairs over UME": (PAIRS, BEST),
    "prior": (PRODUCT, PRIOR_OFTEN),
    "calibration": (CALIBRATED, PRODUCT),
    "head": (UNPAIRED, BEST),
    "linear pairs": (LINEAR, UNPAIRED),
    "paper, MLP head": (MLP, MEAN),
}


class Measured(NamedTuple):
    """Measures of competitors and gains (:data:`GAINS`), and how far behind the best each is."""

    competitors: dict[str, Measure]
    gains: dict[str, Measure]
    behind: dict[str, Measure]


def measured(inputs: Inputs, repeats: Sequence[Evidence]) -> Measured:
    """Measures of the mean scores of all repeats; all intervals are paired.

    The same resamples are drawn whatever the seed of the folds, so that they add no difference
    between seeds.
    """
    names = repeats[0].scores
    scores = {n: np.mean([evidence.scores[n] for evidence in repeats], axis=0) for n in names}
    among = strategies.strategies(tuple(inputs.features))
    first = scores[strategies.best(scores, among)]
    parts = (
        scores,
        {name: scores[a] - scores[b] for name, (a, b) in GAINS.items()},
        {name: first - scores[name] for name in among},
    )
    columns = [column for part in parts for column in part.values()]
    found = iter(bootstrap_means(np.hstack(columns), inputs.groups))
    return Measured(*({name: Measure(next(found), next(found)) for name in p} for p in parts))


def paper_rule(gains: dict[str, Measure], head: str = "paper") -> str:
    """The paper's rule: a head on frozen features against UME by the mean, in accuracy.

    Args:
        head: the gain of a linear head, or ``paper, MLP head``.
    """
    gain = gains[head].accuracy
    if gain.contains_zero:
        return UNCLEAR
    return UMT if gain.mean > 0 else UME


def our_rule(
    competitors: dict[str, Measure], gains: dict[str, Measure], chance: float
) -> tuple[str, str]:
    """Our rule: the verdict, and the reason for it as a sentence."""
    pairs, joint = gains["pairs"], gains["joint"]
    informed = {name for name, m in competitors.items() if m.accuracy.low > chance}
    over_all = min(gains[n].accuracy.mean for n in ("pairs", "pairs over joint", "pairs over UME"))
    if _clear(pairs) and over_all >= FLOOR and PAIRS in informed:
        return INTERACTIONS, (
            f"a correction that can use interactions between modalities gains at least "
            f"{_points(over_all)} on held-out samples over the additive correction, the linear "
            f"head and UME"
        )
    if _matters(joint) and LINEAR in informed:
        over_joint = gains["additive over joint"].accuracy.mean
        gain = (
            f"one linear head on all features gains {_points(joint.accuracy.mean)} over the best "
            f"combination of uni-modal predictions"
        )
        if not _matters(gains["joint over classifiers"]):
            return UNCLEAR, (
                f"{gain}, but better classifiers of each modality alone gain "
                f"{_points(gains['classifiers'].accuracy.mean)}, so it is not clear that joint "
                f"training is needed: improve the uni-modal models first"
            )
        if gains["additive over joint"].accuracy.low > 0 and over_joint >= FLOOR:
            return UNCLEAR, (
                f"{gain}, but an additive correction of that combination gains "
                f"{_points(gains['additive'].accuracy.mean)}: improve the uni-modal models first, "
                f"which the linear head falls short of"
            )
        if not _matters(gains["linear pairs"]):
            return UNCLEAR, (
                f"{gain}, but the same head trained on samples whose modalities are shuffled "
                f"within each class gains {_points(gains['head'].accuracy.mean)}: paired features "
                f"are not clearly its cause, so a head on the frozen encoders may suffice"
            )
        return UMT, f"{gain}, and interactions add no clear further gain"
    if BEST not in informed:
        return UNCLEAR, (
            "the uni-modal predictions are not clearly better than always predicting the most "
            "frequent class, and no joint model is clearly better than they are"
        )
    joint_gains = (joint.accuracy, pairs.accuracy)
    if all(g.mean < FLOOR and g.high < MARGIN for g in joint_gains):
        return UME, (
            f"neither a linear head on all features nor interactions gain {_points(FLOOR)} on "
            f"average over combining uni-modal predictions, and the intervals of both gains end "
            f"below {_points(MARGIN)}"
        )
    return UNCLEAR, (
        f"joint training may gain up to {_points(max(g.high for g in joint_gains))} or nothing: "
        f"there are too few samples to tell"
    )


def _matters(gain: Measure) -> bool:
    """Whether a gain is clear, and its accuracy large enough to justify the cost."""
    return _clear(gain) and gain.accuracy.mean >= FLOOR


def _clear(gain: Measure) -> bool:
    """Whether the gain is clear in log-likelihood or in accuracy.

    The log-likelihood is more sensitive; the accuracy cannot be spoilt by a single sample.
    """
    return gain.likelihood.low > 0 or gain.accuracy.low > 0


def deciding(features: Recommendation, widened: Recommendation) -> Recommendation:
    """Choose between the recommendation for the features and that for features with extra columns.

    The extra columns show what encoders trained on one modality may have dropped. They count in two
    cases:

    * a clear interaction: the advice is to train jointly, without teachers;
    * paired features that a linear head can use, such as a nuisance that both modalities share: the
      verdict with extra columns is UMT, so the linear head is clearly better than UME, whose
      classifiers have the same columns; and it is half a point better than every strategy on the
      features alone. Teachers lack such features too, but the student can learn them beside what it
      is taught: on the tuning cells of the map of shared nuisance UMT was more accurate than joint
      training.

    For all other verdicts these columns are noise that hides small gains, so the features decide.
    """
    if INTERACTIONS in (features.verdict, widened.verdict):
        return widened if widened.verdict == INTERACTIONS else features
    best = next(iter(features.ranking.values())).accuracy.mean
    over_all = widened.competitors[LINEAR].accuracy.mean - best
    if widened.verdict != UMT or over_all < FLOOR:
        return features
    reason = (
        f"with the extra columns, one linear head gains "
        f"{_points(widened.gains['joint'].accuracy.mean)} over UME with the same columns, and "
        f"{_points(over_all)} over every strategy on the features alone: the inputs hold paired "
        f"features that encoders trained on one modality do not keep; encoders that are trained "
        f"jointly can, and a linear head can use them"
    )
    return replace(widened, reason=reason)


def near_border(found: Measured, chance: float, repeats: int) -> bool:
    """Whether other folds could give another verdict.

    They could if the verdict differs once a single competitor is better or worse: each of its
    measures is moved by NEAR times half its interval, divided by the root of the number of repeats.
    """
    competitors, gains, _ = found
    share = NEAR / repeats**0.5
    verdict = our_rule(competitors, gains, chance)[0]
    for changed in competitors:
        for by in (-share, share):
            moved = {
                name: _moved(gains[name], by * ((changed == a) - (changed == b)))
                for name, (a, b) in GAINS.items()
            }
            own = {**competitors, changed: _moved(competitors[changed], by)}
            if our_rule(own, moved, chance)[0] != verdict:
                return True
    return False


def _moved(measure: Measure, share: float) -> Measure:
    """The measure, moved by a share of half its interval."""
    moved = []
    for mean, low, high, n in measure:
        by = share * (high - low) / 2
        moved.append(Interval(mean + by, low + by, high + by, n))
    return Measure(*moved)


def conclude(
    inputs: Inputs,
    repeats: Sequence[Evidence],
    found: Measured,
    seed: int,
    seconds: float,
    source: str,
) -> Recommendation:
    """The recommendation: both rules applied to the evidence, with everything a report needs.

    Args:
        repeats: the evidence of one cross-validation, or of several with different folds; the
            verdict is that for the mean of their scores.
        found: :func:`measured` of ``repeats``.
    """
    most = chance(inputs)
    competitors, gains, behind = found
    verdict, reason = our_rule(competitors, gains, most)
    pairs: dict[str, Measure] = {}
    if verdict == INTERACTIONS and len(inputs.features) > 2:
        by_pair = interacting(inputs, repeats[0].folds, seed)
        level = 1 - 0.05 / len(by_pair)  # Bonferroni
        found_in = iter(
            bootstrap_means(np.hstack(list(by_pair.values())), inputs.groups, level=level)
        )
        pairs = {name: Measure(next(found_in), next(found_in)) for name in by_pair}
        reason = f"{reason}; {_which(pairs)}"
    each = [found] if len(repeats) == 1 else [measured(inputs, [one]) for one in repeats]
    single = Counter(our_rule(one.competitors, one.gains, most)[0] for one in each)
    ranking = strategies.ranking(competitors, behind)
    copies, kept = inputs.copies, inputs.groups
    data = {
        "source": source,
        "samples": len(inputs.y),
        "samples given": inputs.given,
        "modalities": inputs.columns,
        "classes": len(inputs.classes),
        "groups": int(kept.max()) + 1 if inputs.grouped and kept is not None else None,
        "copies": copies
        and {
            "rows": copies.rows,
            "groups": int(copies.groups.max()) + 1,
            "pair": [int(inputs.rows[row]) for row in copies.pair],
            "exact": copies.exact,
        },
        "folds": inputs.folds,
        "repeats": len(repeats),
        "near border": near_border(found, most, len(repeats)),
        "verdicts of repeats": dict(single.most_common()),
        "pairs": pairs,
        "inputs": inputs.searched,
        "farthest": inputs.farthest,
        "seed": seed,
    }
    return Recommendation(
        verdict=verdict,
        reason=reason,
        paper=paper_rule(gains),
        cheapest=strategies.cheapest(ranking),
        ranking=ranking,
        causes={cause: gains[name] for cause, name in strategies.CAUSES.items()},
        competitors=competitors,
        gains=gains,
        chance=most,
        rules=tuple(rule for evidence in repeats for rule in evidence.rules),
        data=data,
        cost={"seconds": seconds, "fits": sum(evidence.fits for evidence in repeats)},
        warnings=cautions.warnings(verdict, gains, data),
    )


def _which(pairs: dict[str, Measure]) -> str:
    """Which pair of three or more modalities interacts, as a sentence."""
    found = {name: m.accuracy.mean for name, m in pairs.items() if _matters(m)}
    if not found:
        return "no pair shows it alone, so it takes three modalities or more"
    listed = ", ".join(
        f"{name} ({_points(found[name])})" for name in sorted(found, key=lambda n: -found[n])
    )
    return f"the interaction is between {listed}"


def chance(inputs: Inputs) -> float:
    """The accuracy of always predicting the most frequent class."""
    return float(np.bincount(inputs.y).max() / len(inputs.y))


def _points(share: float) -> str:
    return f"{100 * share:.1f} accuracy points"
