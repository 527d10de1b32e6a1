"""``umt guide --try``: the direct experiment beside the prediction of the guide."""

from __future__ import annotations

from tqdm import tqdm

from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import t_interval
from umt_lib.guide.checks import checked
from umt_lib.guide.readers import Source
from umt_lib.guide.recommendation import UME, UNCLEAR, Recommendation, Trial
from umt_lib.study.analyses.guide_check.direct import direct, trainings
from umt_lib.study.analyses.guide_check.rules import ALL, MAIN, RULES, outcome

MOST = 5000  # samples that the networks are trained, validated and tested on


def attempt(source: Source, found: Recommendation, max_samples: int) -> Trial:
    """Train small networks on the features by every strategy; does the verdict hold?

    Raises:
        StudyError: there are too few groups or samples of a class for five folds.
    """
    inputs = checked(
        source.features,
        source.labels,
        source.groups,
        found.data["folds"],
        min(max_samples, MOST),
        found.data["seed"],
        source.name,
    )
    total = trainings(len(inputs.features))
    with tqdm(desc="networks", total=total, disable=None) as bar:
        try:
            accuracy = direct(inputs, bar.update)
        except StudyError as error:
            raise StudyError(f"{source.name}: --try: {error}") from None
    scored = outcome(RULES[MAIN], found.verdict, accuracy)
    return Trial(
        accuracy={name: t_interval(values) for name, values in accuracy.items()},
        samples=len(inputs.y),
        taken=ALL[UME if found.verdict == UNCLEAR else found.verdict],
        best=ALL[str(scored["best"])],
        decided=bool(scored["decided"]),
        regret=float(scored["regret"]),
    )
