"""The claims of the paper, one row each: our verdict, the number that decides, what it rests on.

A verdict follows from an interval by one rule, :func:`decided`. The numbers are differences over
all real data sets together (:mod:`.pooling`), of results that are not stale.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.study.analyses.guide_check import score
from umt_lib.study.analyses.guide_check.rules import OWN_SIGN
from umt_lib.study.analyses.guide_check.score import AIM_RIGHT, scored
from umt_lib.study.analyses.regime_map.summary import family, means, members, searched
from umt_lib.study.experiments.comparisons import difference
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import guide_check_text, regime_map_text, two_stream_text
from umt_lib.study.report.choices import (
    BY_HEAD,
    HEADS,
    JOINT,
    JOINT_MLP,
    LONGER,
    TWO,
    UME,
    UMT,
    UMT_MLP,
)
from umt_lib.study.report.compared_methods import compared, covered
from umt_lib.study.report.format import EQUIVALENT, MINUS, markdown, percent, points
from umt_lib.study.report.pooling import (
    SAME_SOURCE,
    Pooled,
    gain,
    lazy,
    mean_of,
    pooled,
)
from umt_lib.study.report.tables import validated
from umt_lib.study.report.which_strategy import NO_PAIRS, paired_gain

SUPPORTED, AGAINST = "supported", "not supported"
UNDECIDED, UNTESTABLE = "undecided", "not testable here"
FEWEST = 3  # data sets
ENDS = ("", "_low", "_high")  # of the columns of an interval
MATTERS = 0.02  # paired features can raise the best possible accuracy of a cell by this much
CONTROLS = {  # of the budget of UME and UMT: label, in words
    LONGER: "joint training with UMT's budget, linear head",
    TWO: "two joint models, linear heads",
}
NEAREST = {  # data set of the paper: the real data of the same kind that was trained on here
    "vggsound": "youtube8m",
    "kinetics400": "youtube8m",
    "ucf101": None,  # public predictions on its own test split, without a joint model
    "modelnet40": "psb",
}


class Claim(NamedTuple):
    """A claim of the paper.

    Attributes:
        text: the claim, in our words.
        verdict: "supported", "not supported", "undecided" or "not testable here".
        number: the number that decides, in words.
        datasets: names of the data sets that it rests on.
        page: the page of the book with the details, from the root of the book.
    """

    text: str
    verdict: str
    number: str
    datasets: tuple[str, ...]
    page: str


def decided(found: Interval | None, margin: float = EQUIVALENT, above: float = 0.0) -> str:
    """Whether a claim holds: the interval is above ``above``, or below the margin.

    Args:
        found: what the claim says is positive, or not below ``above``.
        margin: the claim does not hold below it: a difference that is not of practical size.

    >>> decided(Interval(0.02, 0.01, 0.03, 7)), decided(Interval(0.001, -0.002, 0.004, 7))
    ('supported', 'not supported')
    >>> decided(Interval(0.02, -0.01, 0.05, 7))
    'undecided'
    """
    if found is None or found.n < FEWEST:
        return UNDECIDED
    if found.low > above:
        return SUPPORTED
    return AGAINST if found.high < margin else UNDECIDED


def claims(study: Study) -> list[Claim]:
    """All claims, in the order of the paper's argument."""
    return [claim(study) for claim in CLAIMS]


def table(study: Study, root: str = "/") -> str:
    """The claims as a Markdown table; ``root`` is where the pages are that it links to."""
    rows = [
        [str(i), f"[{c.text}]({root}{c.page})", f"**{c.verdict}**", c.number]
        for i, c in enumerate(claims(study), 1)
    ]
    return markdown(["", "claim of the paper", "verdict", "the number that decides"], rows)


NOTE = (
    "Verdicts on real data are those with linear heads; in claim 9 validation chooses UMT's head. "
    "Intervals are not corrected for the number of claims."
)


def is_lazy(study: Study) -> Claim:
    """Whether probes of encoders are less accurate after joint training."""
    found = {head: lazy(study, joint) for head, joint in BY_HEAD[JOINT].items()}
    linear = found["linear"]
    return Claim(
        "Joint training leaves encoders lazy: they learn fewer uni-modal features than in "
        "uni-modal training.",
        decided(_minus(linear)),
        f"probe after joint training minus that of the uni-modal encoder: {_both(found)}",
        _names(linear),
        "laziness.md",
    )


def laziness_hurts(study: Study) -> Claim:
    """Whether UME gains more where joint training leaves encoders lazier."""
    verdict, number, found = UNDECIDED, "too few data sets, or all are equal", None
    table = lost_and_gained(study).groupby("unit", sort=False).mean(numeric_only=True)
    if len(table) > FEWEST:
        found = rank_correlation(-table["lost"].to_numpy(), table["gained"].to_numpy())
    if found:
        verdict = decided(found, margin=0.0)
        number = (
            f"rank correlation of laziness with UME minus joint training over {found.n} data sets: "
            f"{found.mean:+.2f} [{found.low:+.2f}, {found.high:+.2f}]".replace("-", MINUS)
        )
    names = _names(lazy(study, JOINT))
    return Claim("Laziness hurts generalisation.", verdict, number, names, "laziness.md")


def lost_and_gained(study: Study) -> pd.DataFrame:
    """What encoders lose in joint training (linear) and what UME gains over it: a row per data set.

    Columns: ``dataset``; ``unit``, the data set that it counts as (:data:`.pooling.SAME_SOURCE`);
    ``lost``, the probe minus that of the uni-modal encoder, and ``gained``, the difference in test
    accuracy, both 0..1, each with the columns ``_low`` and ``_high`` of its interval.
    """
    found = {"lost": lazy(study, JOINT), "gained": gain(study, UME, JOINT)}
    columns = ["dataset", "unit", *(f"{name}{end}" for name in found for end in ENDS)]
    if not all(found.values()):
        return pd.DataFrame(columns=columns)
    lost, gained = (pool.by_dataset for pool in found.values() if pool)
    rows = [(d, SAME_SOURCE.get(d, d), *lost[d][:3], *gained[d][:3]) for d in lost if d in gained]
    return pd.DataFrame(rows, columns=columns)


def rank_correlation(x: np.ndarray, y: np.ndarray) -> Interval | None:
    """Spearman's correlation of (n,) and (n,) with its 95% interval; None if one is constant.

    The interval is Fisher's, with the standard error of ranks (Fieller, Hartley and Pearson,
    Biometrika 44, 1957): a bootstrap over so few pairs depends on how its resamples are drawn.

    >>> found = rank_correlation(np.arange(7.0), np.array([0.0, 2, 1, 3, 5, 4, 6]))
    >>> f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"
    '0.93 [0.56, 0.99]'
    """
    if len(x) < FEWEST + 1 or not (np.ptp(x) and np.ptp(y)):
        return None
    found = float(stats.spearmanr(x, y).statistic)
    half = stats.norm.ppf(0.975) * np.sqrt(1.06 / (len(x) - 3))
    with np.errstate(divide="ignore"):  # of a correlation of 1
        low, high = np.tanh(np.arctanh(np.clip(found, -1, 1)) + np.array([-half, half]))
    return Interval(found, float(low), float(high), len(x))


def recovers(study: Study) -> Claim:
    """Whether probes of encoders are more accurate after UMT than after joint training."""
    found = {head: lazy(study, BY_HEAD[UMT][head], BY_HEAD[JOINT][head]) for head in HEADS}
    return Claim(
        "UMT recovers the uni-modal features.",
        decided(mean_of(found["linear"])),
        f"probe after UMT minus that after joint training: {_both(found)}",
        _names(found["linear"]),
        "laziness.md",
    )


def _better(study: Study, a: str, text: str, page: str) -> Claim:
    """A claim that ``a``, a label, is better than joint training with the same head."""
    pairs = {head: (BY_HEAD[a][head], BY_HEAD[JOINT][head]) for head in HEADS}
    found = {h: gain(study, *pair) for h, pair in pairs.items()}
    controlled = "".join(
        f"; minus {control}: {points(over)} ({over.n} data sets)"
        for label, control in CONTROLS.items()
        if (over := mean_of(gain(study, pairs["linear"][0], label)))
    )
    return Claim(
        text,
        decided(mean_of(found["linear"])),
        f"{family(a)} minus joint training: {_both(found)}{controlled}",
        _names(found["linear"]),
        page,
    )


def _comparable(study: Study) -> Claim:
    """UMT against the compared method with the best validation accuracy on each data set."""
    ranked = covered(study)

    def on(dataset: str) -> Interval | None:
        others = [e.result for e in compared(study, dataset) if e.result and dataset in ranked]
        own = [r for label in (UMT, UMT_MLP) if (r := study.results(dataset).get(label))]
        if len(others) < FEWEST or not own:
            return None
        best, ours = (max(found, key=validated) for found in (others, own))
        return difference(ours, best)

    found = pooled(study, on)
    over = mean_of(found)
    number = "too few data sets yet"
    if over and over.n >= FEWEST:
        number = f"{points(over)} points, mean over {over.n} data sets"
    return Claim(
        "UMT is comparable to more complex methods.",
        decided(over, -EQUIVALENT, above=-EQUIVALENT),
        f"UMT minus the best compared method, both chosen on validation: {number}",
        _names(found),
        "compared/index.md",
    )


def _wins_with_pairs(study: Study) -> Claim:
    """UMT's best member against the best other strategy in cells with useful paired features."""
    measured = maps(study)
    number, lead, names = "not measured yet", None, ()
    if measured and (cells := paired_gain(measured) >= MATTERS).any():
        lead = _lead(measured, "UMT", cells)
        search = searched(measured)
        names = tuple(found["world"] for found in measured)
        number = (
            f"UMT minus the best other strategy, both chosen on other seeds in every setting, over "
            f"the {lead.n} settings in which paired features can add {100 * MATTERS:.0f} points: "
            f"{points(lead)} points; always {UMT_MLP} minus always {JOINT_MLP} in these settings: "
            f"{points(_always(measured, cells))} points. Of all settings, it is clearly the best "
            f"in {search['clear'].sum()} of the {search['candidate'].sum()} in which it was "
            f"expected to be"
        )
    return Claim(
        "UMT is the best strategy where paired features matter.",
        decided(lead),
        number,
        names,
        "when/regret.md",
    )


def _ume_suffices(study: Study) -> Claim:
    """UME against the best other strategy in cells without useful paired features."""
    measured = maps(study)
    number, lead, names = "not measured yet", None, ()
    if measured and (cells := paired_gain(measured) < NO_PAIRS).any():
        lead = _lead(measured, "UME", cells)
        names = tuple(found["world"] for found in measured)
        number = (
            f"UME minus the best other strategy, both chosen on other seeds in every setting, over "
            f"{lead.n} settings: {points(lead)} points"
        )
    return Claim(
        "UME suffices where there are no paired features.",
        decided(lead, -EQUIVALENT, above=-EQUIVALENT),
        number,
        names,
        "when/map.md",
    )


def maps(study: Study) -> list[Mapping[str, Any]]:
    """What the maps measured, in the order of their page; stale results do not count."""
    return regime_map_text.ordered(_current(study, "map").values())


def guide_checks(study: Study) -> dict[str, Mapping[str, Any]]:
    """What the checks of the guide on the maps measured, by name; stale results do not count."""
    return _current(study, "guide-on-map")


def _current(study: Study, analysis: str) -> dict[str, Mapping[str, Any]]:
    """What the analyses of one kind measured, by name; stale results do not count."""
    return {e.name: e.result.measured for e in study.analysed(analysis) if e.result}


def _always(maps: Sequence[Mapping[str, Any]], cells: np.ndarray) -> Interval:
    """UMT (MLP) in every cell minus joint (MLP) in every cell, on the report seeds."""
    tested = means(maps)[cells]
    return t_interval(tested[UMT_MLP] - tested[JOINT_MLP])


def _lead(maps: Sequence[Mapping[str, Any]], name: str, cells: np.ndarray) -> Interval:
    """The lead of a family over all others on the report seeds, over some cells.

    Its member and the best strategy of the others are chosen in each cell on the tuning seeds.
    """
    tuned, tested = means(maps, "search")[cells], means(maps)[cells]
    own = [strategy for strategy in tuned if family(strategy) == name]
    chosen = members(maps)[name][cells], tuned.drop(columns=own).idxmax(axis=1)
    mine, others = (
        np.array([tested.at[place, strategy] for place, strategy in picks.items()])
        for picks in chosen
    )
    return t_interval(mine - others)


def _rule_decides(study: Study) -> Claim:
    """The share of decided held-out cells in which the paper's rule is right.

    Between the two strategies that it distinguishes, and without an interval: so it always names
    one, which is the most favourable way to score it.
    """
    measured = guide_checks(study)
    cases = score.pooled(measured) if measured else []
    right = scored(cases, OWN_SIGN)["right"] if cases else None
    number = "not measured yet"
    if right:
        best = guide_check_text.decided_best(cases, OWN_SIGN)
        (name, count), *_ = Counter(best).most_common()
        number = (
            f"it names the better one of UME (mean) and UMT in {percent(right)}% of the {right.n} "
            f"held-out settings in which one of them is better (our aim: {100 * AIM_RIGHT:.0f}%; "
            f"always naming {name}: {100 * count / len(best):.1f}%)"
        )
    names = tuple(found["dataset"] for found in measured.values())
    return Claim(
        "A comparison on frozen encoders tells which strategy a task needs.",
        decided(right, AIM_RIGHT, above=AIM_RIGHT),
        number,
        names,
        "when/right.md",
    )


def _papers_data(study: Study) -> Claim:
    """UME against joint training on the paper's data sets, or on the real data near to each."""
    found = gain(study, UME, JOINT)
    gains = found.by_dataset if found else {}
    own = {d: gains.get(d) for d in NEAREST}
    parts = [f"{d}: {points(interval)}" for d, interval in own.items() if interval]
    for near in dict.fromkeys(near for d, near in NEAREST.items() if near and not own[d]):
        if interval := gains.get(near):
            papers = " and ".join(d for d, n in NEAREST.items() if n == near and not own[d])
            parts.append(f"{near}, near {papers}: {points(interval)}")
    two_stream = list(_current(study, "two-stream").values())
    if two_stream and not own["ucf101"]:
        half = two_stream[0]["halves"][0]
        parts.append(
            f"ucf101, without a joint model: public RGB and flow networks minus RGB alone, "
            f"{points(two_stream_text.gained(half, two_stream_text.BOTH))}"
        )
    every = pooled(study, own.get)
    return Claim(
        "It holds on VGG-Sound, Kinetics-400, UCF101 and ModelNet40.",
        decided(every.over) if every and all(own.values()) else UNTESTABLE,
        f"UME minus joint training: {'; '.join(parts) or 'not measured yet'}",
        tuple(d for d, interval in own.items() if interval),
        "literature.md",
    )


def _minus(found: Pooled | None) -> Interval | None:
    over = mean_of(found)
    return over and Interval(-over.mean, -over.high, -over.low, over.n)


def _names(found: Pooled | None) -> tuple[str, ...]:
    return tuple(found.by_dataset) if found else ()


def _both(found: dict[str, Pooled | None]) -> str:
    """``+1.0 [0.5, 1.5] points with linear heads, ... with MLP heads (7 and 6 data sets)``."""
    parts = [f"{points(p.over)} with {head} heads" for head, p in found.items() if p]
    counts = " and ".join(str(p.over.n) for p in found.values() if p)
    return f"{', '.join(parts)} (points; {counts} data sets)" if parts else "not measured yet"


CLAIMS: tuple[Callable[[Study], Claim], ...] = (
    is_lazy,
    laziness_hurts,
    recovers,
    partial(
        _better,
        a=UMT,
        text="UMT generalises better than joint training.",
        page="methods/umt.md",
    ),
    partial(
        _better,
        a=UME,
        text="UME generalises better than joint training.",
        page="methods/ume.md",
    ),
    _wins_with_pairs,
    _ume_suffices,
    _rule_decides,
    _comparable,
    _papers_data,
)
