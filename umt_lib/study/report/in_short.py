"""The answer of the study in a few sentences; each is left out until its results exist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from umt_lib.study.analyses.guide_check import score
from umt_lib.study.analyses.guide_check.rules import MAIN
from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import which_strategy
from umt_lib.study.report.claims import guide_checks, maps
from umt_lib.study.report.format import percent, points
from umt_lib.study.report.pooling import gain, mean_of

JOINT, UMT = "joint (linear)", "UMT (linear)"
FEWEST = 2  # data sets
FIXED = {"always UME": "always using UME", "always joint (MLP)": "always joint (MLP)"}


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
        f"with linear heads."
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

    clear = summary.searched(measured)["clear"].sum()
    return (
        f"**Where the label needs no paired feature, UME loses {lost('UME', none)} points** to the "
        f"best strategy, joint training with an MLP head {lost('joint (MLP)', none)}. **Where it "
        f"needs paired features, UME loses {lost('UME', ~none)}**, joint training with an MLP head "
        f"{lost('joint (MLP)', ~none)}, UMT with one {lost('UMT (MLP)', ~none)}. UMT is clearly "
        f"the best strategy in {clear} of {len(none)} cells of the maps."
    )


def _if_nothing_is_known(study: Study) -> str:
    return which_strategy.sentence(maps(study))


def _the_guide(study: Study) -> str:
    """How often the guide names the best strategy, and what it loses."""
    cases = score.pooled(guide_checks(study))
    found = score.scored(cases, MAIN) if cases else {}
    right, regret = found.get("right"), found.get("regret")
    if right is None or regret is None:
        return ""
    fixed = ", ".join(
        f"{name} {100 * np.mean([case['rules'][rule]['regret'] for case in cases]):.1f}"
        for rule, name in FIXED.items()
    )
    return (
        f"**For your own features, `umt guide` names the best strategy in {percent(right)}% of "
        f"{right.n} held-out cells** that have a clear best one. It loses {percent(regret)} points "
        f"on average over all held-out cells; {fixed}."
    )


PARTS: tuple[Callable[[Study], str], ...] = (
    _on_real_data,
    _where_features_are_known,
    _if_nothing_is_known,
    _the_guide,
)
