"""Warnings in plain sentences: how a verdict can be wrong."""

from __future__ import annotations

from typing import Any

from umt_lib.guide.recommendation import INTERACTIONS, UME, UMT, UNCLEAR, Measure

SQUEEZED = 0.75  # of a column's variance due to one value: it halves the spread of the others
WITHOUT_INPUTS = (
    "No inputs were given, and features alone cannot tell what encoders that were trained on one "
    "modality have dropped: a part that says something only together with the other modality, or "
    "a nuisance that both share, which joint training would cancel. Joint training can then gain "
    "many points that no strategy here shows. Give the inputs too (--inputs)."
)
WITH_INPUTS = (
    "Of the inputs the leading linear components were searched, in which many interactions do not "
    "show. Features of several layers, or of self-supervised encoders, lower that risk."
)
FOR_UMT = (
    "The verdict UMT rests on a linear head on the given features. What distillation does to the "
    "encoders is not simulated; on small data UMT can gain less than such a head."
)
ALWAYS = (
    "Features of samples that the encoders were trained on look better than they are, each "
    "modality by another amount. Use held-out samples.",
    "A paired feature that is weak, or hard to learn from this many samples, is not found. So "
    "finding no gain does not prove that there is none.",
    "The intervals take the trained models as given: folds share training samples, so they are "
    "somewhat too narrow.",
)


def copied(copies: dict[str, Any]) -> str:
    """The sentence about rows that repeat; the report begins with it."""
    one, other = copies["pair"]
    alike = "the same" if copies["exact"] else "nearly the same"
    return (
        f"{copies['rows']} rows repeat: they are {alike} in every modality as another row, such as "
        f"rows {one} and {other} (the first is 0). Copies are taken as one group "
        f"({copies['groups']} groups), so none is predicted by a model trained on another."
    )


def _repeated(verdict: str, data: dict[str, Any]) -> str:
    single = ", ".join(f"{v} in {times}" for v, times in data["verdicts of repeats"].items())
    sentence = (
        f"The first cross-validation was near a border of the rule, so {data['repeats']} were run, "
        f"with different folds: the verdict is {single} of them. The verdict {verdict} is that for "
        f"the mean over all."
    )
    if data["near border"]:
        sentence += " The mean is near a border too: more samples may change the verdict."
    return sentence


def warnings(verdict: str, gains: dict[str, Measure], data: dict[str, Any]) -> tuple[str, ...]:
    """How the verdict can be wrong: first what applies to this case, then what always applies."""
    found = []
    if copies := data["copies"]:
        found.append(copied(copies))
    if data["repeats"] > 1:
        found.append(_repeated(verdict, data))
    if gains["classifiers"].likelihood.low > 0 and verdict in (UME, UNCLEAR):
        found.append(
            "Corrections of the single modalities clearly improve UME: the linear classifiers miss "
            "something within a modality. Better uni-modal classifiers may change the verdict."
        )
    elif gains["additive"].likelihood.low > 0 and verdict in (UME, UNCLEAR):
        found.append(
            "An additive correction clearly improves UME, but corrections of the single modalities "
            "do not: the modalities share noise, or the rule that combines their predictions is "
            "too simple."
        )
    if gains["pairs"].likelihood.low > 0 and verdict != INTERACTIONS:
        found.append(
            "Interactions clearly improve the log-likelihood over the additive correction, but the "
            "correction with interactions is not half a point more accurate than the additive one, "
            "the linear head and UME."
        )
    if gains["combining"].likelihood.low > 0:
        found.append(
            "The mean of probabilities is clearly not the best rule here. A joint model compared "
            "with it would seem to gain from training together."
        )
    if data["groups"] is None:
        found.append(
            "No groups were given. If samples come from shared sources (people, videos, objects), "
            "give them as groups: else the verdict holds for known sources only."
        )
    elif data["groups"] < 10:
        found.append(
            f"There are only {data['groups']} groups: intervals over so few groups say little "
            f"about unseen groups."
        )
    for m, (away, row) in data["farthest"].items():
        if away**2 > SQUEEZED * data["samples"]:
            found.append(
                f"A value of {m}, in row {row} (the first is 0), lies {away:.0f} standard "
                f"deviations from the mean of its column. Beside it the other values look alike: "
                f"repair or clip it, or take logarithms."
            )
    if data["samples"] < data["samples given"]:
        found.append(
            f"{data['samples']} of {data['samples given']} samples were drawn at random "
            f"(stratified by class; the seed fixes which). All samples might give a clearer "
            f"verdict."
        )
    if not data["inputs"]:
        found.append(WITHOUT_INPUTS)
    elif verdict != INTERACTIONS:
        found.append(WITH_INPUTS)
    if verdict == UMT:
        found.append(FOR_UMT)
    return (*found, *ALWAYS)
