"""What the guide recommends, with its evidence: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from umt_lib.evaluation.intervals import Interval

UME, UMT, INTERACTIONS, UNCLEAR = VERDICTS = ("UME", "UMT", "interactions", "no clear winner")


class Measure(NamedTuple):
    """Held-out log-likelihood in nats per sample, and accuracy in 0..1 (or gains in them)."""

    likelihood: Interval
    accuracy: Interval


@dataclass(frozen=True)
class Recommendation:
    """What :func:`umt_lib.guide.recommend` found."""

    verdict: str  # one of VERDICTS
    reason: str
    paper: str  # the verdict of the paper's rule
    competitors: dict[str, Measure]
    gains: dict[str, Measure]  # see GAINS
    chance: float  # accuracy of always naming the commonest class
    rules: tuple[str, ...]
    data: dict[str, Any]
    cost: dict[str, Any]
    warnings: tuple[str, ...]  # known ways it can be wrong, those of this case first

    def to_dict(self) -> dict[str, Any]:
        """Everything, JSON-able; an interval is {"mean", "low", "high"}."""

        def plain(value: Any) -> Any:
            if isinstance(value, Interval):
                return {"mean": value.mean, "low": value.low, "high": value.high}
            if isinstance(value, Measure):
                return {k: plain(v) for k, v in value._asdict().items()}
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            return list(value) if isinstance(value, tuple) else value

        fields = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return {k: plain(v) for k, v in fields.items()}
