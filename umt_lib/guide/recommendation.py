"""The result of the guide: a recommendation and its evidence, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from umt_lib.evaluation.intervals import Interval

UME, UMT, INTERACTIONS, UNCLEAR = VERDICTS = ("UME", "UMT", "interactions", "no clear winner")
SENTENCES = ("reason", "warnings")  # of a recommendation; the other parts are numbers and names


class Measure(NamedTuple):
    """Held-out log-likelihood (nats per sample) and accuracy (0..1), or gains in them."""

    likelihood: Interval
    accuracy: Interval


class Ranked(NamedTuple):
    """A strategy in the ranking; accuracies are 0..1."""

    cost: str  # in trainings, with M modalities
    accuracy: Interval  # held-out
    behind: Interval  # accuracy of the best strategy minus that of this one, paired


class Trial(NamedTuple):
    """A direct experiment: small networks trained on the features by every strategy."""

    accuracy: dict[str, Interval]  # {strategy: test accuracy (0..1) over seeds}
    samples: int
    taken: str  # the strategy that the verdict recommends; UME for "no clear winner"
    best: str  # the most accurate of the strategies that a verdict can name
    decided: bool  # whether it is clearly better than each of the others
    regret: float  # what following the verdict loses to it, in accuracy


@dataclass(frozen=True)
class Recommendation:
    """The verdict of :func:`umt_lib.guide.recommend` with its evidence."""

    verdict: str  # one of VERDICTS
    reason: str
    paper: str  # the verdict of the paper's rule
    cheapest: str  # the cheapest strategy within half a point of the best, or the frequent class
    ranking: dict[str, Ranked]  # all strategies that apply to features, the most accurate first
    causes: dict[str, Measure]  # see umt_lib.guide.strategies.CAUSES
    competitors: dict[str, Measure]
    gains: dict[str, Measure]  # see umt_lib.guide.verdict.GAINS
    chance: float  # accuracy of always predicting the most frequent class
    rules: tuple[str, ...]  # UME's best rule in each fold
    data: dict[str, Any]
    cost: dict[str, Any]
    warnings: tuple[str, ...]  # how the verdict can be wrong; those of this case first
    trial: Trial | None = None  # of umt guide --try

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-compatible values; an interval is {"mean", "low", "high"}."""

        def plain(value: Any) -> Any:
            if isinstance(value, Interval):
                return {"mean": value.mean, "low": value.low, "high": value.high}
            if isinstance(value, (Measure, Ranked, Trial)):
                return {k: plain(v) for k, v in value._asdict().items()}
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            return list(value) if isinstance(value, tuple) else value

        fields = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return {k: plain(v) for k, v in fields.items()}

    def numbers(self) -> dict[str, Any]:
        """:meth:`to_dict` without sentences and time: what is the same in every run of one seed."""
        found = {k: v for k, v in self.to_dict().items() if k not in SENTENCES}
        found["cost"].pop("seconds")
        return found


def measures(numbers: dict[str, Any]) -> dict[str, Measure]:
    """The measures of a part of :meth:`Recommendation.numbers`, such as its ``gains``."""

    def interval(found: dict[str, float]) -> Interval:
        return Interval(found["mean"], found["low"], found["high"], 0)

    return {
        name: Measure(interval(found["likelihood"]), interval(found["accuracy"]))
        for name, found in numbers.items()
    }
