"""From evidence to a verdict: our rule (see :mod:`umt_lib.guide`) and the rule of the paper."""

from __future__ import annotations

import numpy as np

from umt_lib.evaluation.bootstrap import bootstrap_means
from umt_lib.guide import cautions
from umt_lib.guide.checks import Inputs
from umt_lib.guide.evidence import ADDITIVE, BEST, LINEAR, MEAN, PAIRS, Evidence
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
GAINS = {  # name: (competitor, baseline)
    "combining": (BEST, MEAN),
    "paper": (LINEAR, MEAN),
    "joint": (LINEAR, BEST),
    "additive": (ADDITIVE, BEST),
    "pairs": (PAIRS, ADDITIVE),
}


def measures(
    evidence: Evidence, groups: np.ndarray | None, seed: int
) -> tuple[dict[str, Measure], dict[str, Measure]]:
    """Measures of every competitor and of every gain in :data:`GAINS`; all intervals are paired."""
    scores = evidence.scores
    gains = {name: scores[a] - scores[b] for name, (a, b) in GAINS.items()}
    columns = np.hstack([*scores.values(), *gains.values()])
    found = iter(bootstrap_means(columns, groups, seed))
    both = [{name: Measure(next(found), next(found)) for name in part} for part in (scores, gains)]
    return both[0], both[1]


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
    accuracy = {name: m.accuracy.mean for name, m in competitors.items()}
    gain = accuracy[PAIRS] - max(accuracy[n] for n in (ADDITIVE, LINEAR, BEST))
    informed = {name for name, m in competitors.items() if m.accuracy.low > chance}
    if _clear(pairs) and gain >= FLOOR and PAIRS in informed:
        return INTERACTIONS, (
            f"a correction that sees modalities together gains {_points(gain)} on held-out "
            f"samples over the best model that adds them up"
        )
    if _clear(joint) and joint.accuracy.mean >= FLOOR and LINEAR in informed:
        return UMT, (
            f"one linear head on all features gains {_points(joint.accuracy.mean)} over the best "
            f"combination of uni-modal predictions, and interactions add no clear further gain"
        )
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


def conclude(
    inputs: Inputs, evidence: Evidence, seed: int, seconds: float, source: str
) -> Recommendation:
    """The recommendation: both rules applied to the evidence, with everything a report needs."""
    competitors, gains = measures(evidence, inputs.groups, seed)
    chance = float(np.bincount(inputs.y).max() / len(inputs.y))
    verdict, reason = our_rule(competitors, gains, chance)
    data = {
        "source": source,
        "samples": len(inputs.y),
        "samples given": inputs.given,
        "modalities": {m: z.shape[1] for m, z in inputs.features.items()},
        "classes": len(inputs.classes),
        "groups": None if inputs.groups is None else int(inputs.groups.max()) + 1,
        "folds": inputs.folds,
        "farthest": inputs.farthest(),
        "seed": seed,
    }
    return Recommendation(
        verdict=verdict,
        reason=reason,
        paper=paper_rule(gains),
        competitors=competitors,
        gains=gains,
        chance=chance,
        rules=evidence.rules,
        data=data,
        cost={"seconds": seconds, "fits": evidence.fits},
        warnings=cautions.warnings(verdict, gains, data),
    )


def _points(share: float) -> str:
    return f"{100 * share:.1f} accuracy points"
