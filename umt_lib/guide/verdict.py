"""From evidence to a verdict: our rule (see :mod:`umt_lib.guide`) and the rule of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from umt_lib.evaluation.bootstrap import bootstrap_means
from umt_lib.evaluation.intervals import Interval
from umt_lib.guide import cautions
from umt_lib.guide.checks import Inputs
from umt_lib.guide.evidence import (
    ADDITIVE,
    BEST,
    BETTER,
    LINEAR,
    MEAN,
    PAIRS,
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

FLOOR = 0.005  # a smaller gain in accuracy does not justify the cost of joint training
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
}


def measures(
    scores: dict[str, np.ndarray], groups: np.ndarray | None
) -> tuple[dict[str, Measure], dict[str, Measure]]:
    """Measures of every competitor and of every gain in :data:`GAINS`; all intervals are paired.

    The same resamples are drawn whatever the seed of the folds, so that they add no difference
    between seeds.
    """
    gains = {name: scores[a] - scores[b] for name, (a, b) in GAINS.items()}
    return _measured(scores, groups), _measured(gains, groups)


def _measured(
    columns: dict[str, np.ndarray], groups: np.ndarray | None, level: float = 0.95
) -> dict[str, Measure]:
    found = iter(bootstrap_means(np.hstack(list(columns.values())), groups, level=level))
    return {name: Measure(next(found), next(found)) for name in columns}


def paper_rule(gains: dict[str, Measure]) -> str:
    """The paper's rule: a head on frozen features against UME by the mean, in accuracy."""
    gain = gains["paper"].accuracy
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
            f"a correction that sees modalities together gains {_points(over_all)} on held-out "
            f"samples over the best model that adds them up"
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
        return UMT, f"{gain}, and interactions add no clear further gain"
    if BEST not in informed:
        return UNCLEAR, (
            "the uni-modal predictions are not clearly better than always predicting the most "
            "frequent class, and no joint model is clearly better than they are"
        )
    joint_gains = (joint.accuracy, pairs.accuracy)
    if all(g.mean < FLOOR and g.high < MARGIN for g in joint_gains):
        return UME, (
            f"nothing trained jointly gains {_points(FLOOR)} over the best combination of "
            f"uni-modal predictions, or can be expected to gain {_points(MARGIN)}"
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

    The extra columns serve to detect interactions: a clear interaction counts in either. For all
    other verdicts these columns are noise that hides small gains, so the features decide.
    """
    return widened if widened.verdict == INTERACTIONS else features


def near_border(inputs: Inputs, repeats: Sequence[Evidence]) -> bool:
    """Whether other folds could give another verdict.

    They could if the verdict differs once a single competitor is better or worse: each of its
    measures is moved by NEAR times half its interval, divided by the root of the number of repeats.
    """
    chance, share = _chance(inputs), NEAR / len(repeats) ** 0.5
    competitors, gains = measures(_mean(repeats), inputs.groups)
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


def _mean(repeats: Sequence[Evidence]) -> dict[str, np.ndarray]:
    names = repeats[0].scores
    return {n: np.mean([evidence.scores[n] for evidence in repeats], axis=0) for n in names}


def conclude(
    inputs: Inputs, repeats: Sequence[Evidence], seed: int, seconds: float, source: str
) -> Recommendation:
    """The recommendation: both rules applied to the evidence, with everything a report needs.

    Args:
        repeats: the evidence of one cross-validation, or of several with different folds; the
            verdict is that for the mean of their scores.
    """
    chance = _chance(inputs)
    competitors, gains = measures(_mean(repeats), inputs.groups)
    verdict, reason = our_rule(competitors, gains, chance)
    pairs: dict[str, Measure] = {}
    if verdict == INTERACTIONS and len(inputs.features) > 2:
        found = interacting(inputs, repeats[0].folds, seed)
        pairs = _measured(found, inputs.groups, level=1 - 0.05 / len(found))  # Bonferroni
        reason = f"{reason}; {_which(pairs)}"
    single = Counter(
        our_rule(*measures(evidence.scores, inputs.groups), chance)[0] for evidence in repeats
    )
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
        "near border": near_border(inputs, repeats),
        "verdicts of repeats": dict(single.most_common()),
        "pairs": pairs,
        "farthest": inputs.farthest,
        "seed": seed,
    }
    return Recommendation(
        verdict=verdict,
        reason=reason,
        paper=paper_rule(gains),
        competitors=competitors,
        gains=gains,
        chance=chance,
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


def _chance(inputs: Inputs) -> float:
    return float(np.bincount(inputs.y).max() / len(inputs.y))


def _points(share: float) -> str:
    return f"{100 * share:.1f} accuracy points"
