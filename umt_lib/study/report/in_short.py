"""The answer of the study in a few sentences; each is left out until its results exist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import guide_check_text, regime_map_text, which_strategy
from umt_lib.study.report.choices import JOINT, JOINT_MLP, UMT
from umt_lib.study.report.claims import guide_checks, maps
from umt_lib.study.report.findings import LONGER
from umt_lib.study.report.format import percent, points
from umt_lib.study.report.pooling import gain, mean_of

FEWEST = 2  # data sets


def sentences(study: Study) -> str:
    """The answer as a Markdown list; "" if nothing was measured."""
    return "\n".join(f"- {text}" for part in PARTS if (text := part(study)))


def _on_real_data(study: Study) -> str:
    """Whether UME and UMT are better than joint training on average, and whether they differ."""
    pairs = {"UME": ("UME", JOINT), "UMT": (UMT, JOINT), "UMT minus UME": (UMT, "UME")}
    family = Family({name: mean_of(gain(study, *pair)) for name, pair in pairs.items()})
    shown = [name for name in ("UME", "UMT") if (g := family.get(name)) and g.n >= FEWEST]
    if not shown:
        return ""
    better = [name for name in shown if family.is_better(name)]
    verb = f"{'is' if len(better) == 1 else 'are'} better than joint training"
    claim = f"{' and '.join(better)} {verb}"
    if not better:
        claim = f"{' and '.join(shown)}: not clearly better than joint training"
    gains = ", ".join(f"{name} {points(family.get(name))}" for name in shown)
    count = family.get(shown[0]).n
    text = (
        f"**On real data, {claim}**: {gains} points of test accuracy, mean over {count} data sets, "
        f"with linear heads. On a single data set five seeds are mostly too few to show it."
    )
    longer = {name: mean_of(gain(study, pairs[name][0], LONGER["linear"])) for name in shown}
    if controlled := [f"{name} {points(found)}" for name, found in longer.items() if found]:
        count = next(found.n for found in longer.values() if found)
        text += (
            f" Compared with joint training that has UMT's budget (mean over {count} data sets): "
            f"{', '.join(controlled)}."
        )
    if between := family.get("UMT minus UME"):
        kind = "no clear difference"
        if family.is_clear("UMT minus UME"):
            kind = "UMT is better" if between.mean > 0 else "UME is better"
        text += f" Between UMT and UME: {kind} ({points(between)})."
    return text


def _where_features_are_known(study: Study) -> str:
    """What UME and joint training lose without and with useful paired features."""
    if not (measured := maps(study)):
        return ""
    regrets = summary.regrets(measured)
    none = which_strategy.kinds(measured) == which_strategy.NONE_USEFUL
    if none.all() or not none.any():
        return ""

    def lost(name: str, cells: np.ndarray) -> str:
        return which_strategy.mean_regret(regrets[name][cells])

    return (
        f"**On generated data without a useful paired feature, UME is {lost('UME', none)} points "
        f"below the best strategy** ({none.sum()} settings), joint training with an MLP head "
        f"{lost('joint (MLP)', none)}. **With paired features, UME is {lost('UME', ~none)} points "
        f"below it** ({(~none).sum()} settings), joint training with an MLP head "
        f"{lost('joint (MLP)', ~none)}, UMT with an MLP head {lost('UMT (MLP)', ~none)}. "
        f"{regime_map_text.highest(measured)}"
    )


def _if_nothing_is_known(study: Study) -> str:
    """What loses least on generated data, and how it compares on real data."""
    if not (measured := maps(study)):
        return ""
    name, _ = which_strategy.chosen(measured)[which_strategy.ANY]
    gains = {other: mean_of(gain(study, name, other)) for other in ("UME", JOINT, JOINT_MLP)}
    real = [f"{other} {points(found)}" for other, found in gains.items() if found]
    text = which_strategy.sentence(measured)
    if real:
        count = next(found.n for found in gains.values() if found)
        text += (
            f" On real data, mean over {count} data sets, its test accuracy minus that of another "
            f"strategy is, in points: {', '.join(real)}."
        )
    return text


def _the_guide(study: Study) -> str:
    """How often the guide names the best strategy, and what it loses."""
    found = guide_check_text.answer(guide_checks(study))
    if found and (measured := maps(study)):
        name, _ = which_strategy.chosen(measured)[which_strategy.ANY]
        among = guide_check_text.AMONG
        lost = which_strategy.lost_among(measured, name, among)
        other = "" if name in among else ", which is not one of these three,"
        found += (
            f" Always using {name}{other} loses {percent(lost)} points to the best of them over "
            f"the {lost.n} settings of the maps."
        )
    return f"**For your own features, use `umt guide`.** {found}" if found else ""


PARTS: tuple[Callable[[Study], str], ...] = (
    _on_real_data,
    _where_features_are_known,
    _if_nothing_is_known,
    _the_guide,
)
