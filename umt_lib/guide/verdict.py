"""From evidence to a verdict: the rule of :mod:`umt_lib.guide`, and the paper's."""

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

FLOOR = 0.005  # a smaller gain in accuracy is not worth a joint training
MARGIN = 0.02  # the largest loss in accuracy that "UME" may still hide
GAINS = {  # name: (better, than)
    "combining": (BEST, MEAN),
    "paper": (LINEAR, MEAN),
    "joint": (LINEAR, BEST),
    "additive": (ADDITIVE, BEST),
    "pairs": (PAIRS, ADDITIVE),
}


def measures(
    evidence: Evidence, groups: np.ndarray | None, seed: int
) -> tuple[dict[str, Measure], dict[str, Measure]]:
    """Of every competitor, and of every gain of :data:`GAINS`; all intervals paired."""
    scores = evidence.scores
    gains = {name: scores[a] - scores[b] for name, (a, b) in GAINS.items()}
    columns = np.hstack([*scores.values(), *gains.values()])
    found = iter(bootstrap_means(columns, groups, seed))
    both = [{name: Measure(next(found), next(found)) for name in part} for part in (scores, gains)]
    return both[0], both[1]


def paper_rule(gains: dict[str, Measure]) -> str:
    """A head trained on frozen features against UME by the mean of probabilities, in accuracy."""
    gain = gains["paper"].accuracy
    if gain.contains_zero:
        return UNCLEAR
    return UMT if gain.mean > 0 else UME


def our_rule(
    competitors: dict[str, Measure], gains: dict[str, Measure], chance: float
) -> tuple[str, str]:
    """The verdict and the sentence that gives its reason."""
    pairs, joint = gains["pairs"], gains["joint"]
    accuracy = {name: m.accuracy.mean for name, m in competitors.items()}
    worth = accuracy[PAIRS] - max(accuracy[n] for n in (ADDITIVE, LINEAR, BEST))
    informed = {name for name, m in competitors.items() if m.accuracy.low > chance}
    if _clear(pairs) and worth >= FLOOR and PAIRS in informed:
        return INTERACTIONS, (
            f"a correction that sees modalities together gains {_points(worth)} on held-out "
            f"samples over the best model that adds them up"
        )
    if _clear(joint) and joint.accuracy.mean >= FLOOR and LINEAR in informed:
        return UMT, (
            f"one linear head on all features gains {_points(joint.accuracy.mean)} over the best "
            f"combination of uni-modal predictions, and pairs add nothing clear beyond it"
        )
    if BEST not in informed:
        return UNCLEAR, (
            "the uni-modal predictions are not clearly better than naming the commonest class, "
            "and nothing joint is clearly better than they are"
        )
    rivals = (joint.accuracy, pairs.accuracy)
    if all(g.mean < FLOOR and g.high < MARGIN for g in rivals):
        return UME, (
            f"nothing trained jointly gains {_points(FLOOR)} over the best combination of "
            f"uni-modal predictions, or can be expected to gain {_points(MARGIN)}"
        )
    return UNCLEAR, (
        f"joint training may gain up to {_points(max(g.high for g in rivals))} or nothing: there "
        f"are too few samples to tell"
    )


def _clear(gain: Measure) -> bool:
    """In likelihood, the more sensitive, or in accuracy, which no single sample can spoil."""
    return gain.likelihood.low > 0 or gain.accuracy.low > 0


def deciding(alone: Recommendation, wider: Recommendation) -> Recommendation:
    """Of the features alone and of wider ones, the recommendation that counts.

    Wider features are asked for one thing, pairs: a clear one counts wherever it is seen. For
    everything else their further columns are noise that hides small gains.
    """
    return wider if wider.verdict == INTERACTIONS else alone


def conclude(
    inputs: Inputs, evidence: Evidence, seed: int, seconds: float, source: str
) -> Recommendation:
    """All of it in one object."""
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
