"""The answer of the study: a few statements with their details, left out until results exist."""

from __future__ import annotations

from collections.abc import Callable

from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import guide_check_text, regime_map_text, which_strategy
from umt_lib.study.report.choices import (
    JOINT,
    JOINT_MLP,
    LONGER,
    UME,
    UMT,
    UMT_MLP,
    is_known,
)
from umt_lib.study.report.claims import guide_checks, maps
from umt_lib.study.report.format import percent, points
from umt_lib.study.report.pooling import gain, mean_of

FEWEST = 2  # data sets


def sentences(study: Study) -> str:
    """The answer as a Markdown list, details below each statement; "" if nothing was measured."""
    lines = []
    for part in PARTS:
        if found := part(study):
            statement, *details = found
            lines += [f"- {statement}", *(f"  - {detail}" for detail in details)]
    return "\n".join(lines)


def _on_real_data(study: Study) -> list[str]:
    """Whether UME and UMT are better than joint training on average, and whether they differ."""
    pairs = {"UME": (UME, JOINT), "UMT": (UMT, JOINT), "UMT minus UME": (UMT, UME)}
    family = Family({name: mean_of(gain(study, *pair)) for name, pair in pairs.items()})
    shown = [name for name in ("UME", "UMT") if (g := family.get(name)) and g.n >= FEWEST]
    if not shown:
        return []
    better = [name for name in shown if family.is_better(name)]
    verb = f"{'is' if len(better) == 1 else 'are'} better than joint training"
    claim = f"{' and '.join(better)} {verb}"
    if not better:
        claim = f"{' and '.join(shown)}: not clearly better than joint training"
    gains = ", ".join(f"{name} {points(family.get(name))}" for name in shown)
    found = [
        f"**On real data, {claim}**: {gains} points of test accuracy, mean over "
        f"{family.get(shown[0]).n} data sets, with linear heads."
    ]
    longer = {name: mean_of(gain(study, pairs[name][0], LONGER)) for name in shown}
    if controlled := [f"{name} {points(over)}" for name, over in longer.items() if over]:
        count = next(over.n for over in longer.values() if over)
        found.append(
            f"Compared with joint training that has UMT's budget (mean over {count} data sets): "
            f"{', '.join(controlled)}."
        )
    if between := family.get("UMT minus UME"):
        kind = "no clear difference"
        if family.is_clear("UMT minus UME"):
            kind = "UMT is better" if between.mean > 0 else "UME is better"
        found.append(f"Between UMT and UME: {kind} ({points(between)}).")
    found.append("On a single data set, five seeds are mostly too few to show a difference.")
    return found


def _where_features_are_known(study: Study) -> list[str]:
    """What UME and joint training lose without and with useful paired features."""
    if not (measured := maps(study)):
        return []
    regrets = summary.regrets(measured)
    none = which_strategy.kinds(measured) == which_strategy.NONE_USEFUL
    if none.all() or not none.any():
        return []

    def lost(name: str) -> tuple[str, str]:
        without, paired = (which_strategy.mean_regret(regrets[name][c]) for c in (none, ~none))
        return without, paired

    without, paired = lost(UME)
    joint, umt = (" and ".join(lost(name)) for name in (JOINT_MLP, UMT_MLP))
    return [
        f"**On generated data, UME is {without} points below the best strategy where no paired "
        f"feature is useful, and {paired} points where one is**, mean over {none.sum()} and "
        f"{(~none).sum()} settings.",
        f"With MLP heads, joint training is {joint} points below it, and UMT {umt} points.",
        *regime_map_text.highest(measured),
    ]


def _if_nothing_is_known(study: Study) -> list[str]:
    """What loses least on generated data, and how it compares on real data."""
    if not (measured := maps(study)):
        return []
    name, _ = which_strategy.chosen(measured)[which_strategy.ANY]
    found = which_strategy.statements(measured)
    if not is_known(study, name):  # no experiment trains this strategy of the maps
        return found
    gains = {other: mean_of(gain(study, name, other)) for other in (UME, JOINT, JOINT_MLP)}
    if real := [f"{other} {points(over)}" for other, over in gains.items() if over]:
        count = next(over.n for over in gains.values() if over)
        found.append(
            f"On real data, its test accuracy minus that of another strategy, in points, mean over "
            f"{count} data sets: {', '.join(real)}."
        )
    return found


def _the_guide(study: Study) -> list[str]:
    """How often the guide names the best strategy, and what it loses."""
    found = guide_check_text.answer(guide_checks(study))
    if found and (measured := maps(study)):
        name, _ = which_strategy.chosen(measured)[which_strategy.ANY]
        among = guide_check_text.AMONG
        lost = which_strategy.lost_among(measured, name, among)
        other = "" if name in among else ", which is not one of these three,"
        found.append(
            f"Always using {name}{other} loses {percent(lost)} points to the best of them over the "
            f"{lost.n} settings of the maps."
        )
    return [f"**For your own features, use `umt guide`.** {found[0]}", *found[1:]] if found else []


PARTS: tuple[Callable[[Study], list[str]], ...] = (
    _on_real_data,
    _where_features_are_known,
    _if_nothing_is_known,
    _the_guide,
)
