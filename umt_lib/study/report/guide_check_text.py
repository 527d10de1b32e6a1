"""Tables and sentences about how often the guide is right; all numbers are computed from cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.guide.recommendation import INTERACTIONS, UME, UMT, UNCLEAR, VERDICTS
from umt_lib.study.analyses.guide_check.on_map import STRATEGIES
from umt_lib.study.analyses.guide_check.rules import (
    ALL,
    BOTH,
    LAST,
    LAYER,
    MAIN,
    OWN,
    OWN_MLP,
    OWN_SIGN,
    PAPERS,
    RULES,
    SIGN,
)
from umt_lib.study.analyses.guide_check.score import (
    AIM_REGRET,
    AIM_RIGHT,
    Cases,
    held_out,
    paired_gain,
    pooled,
    scored,
)
from umt_lib.study.report.format import NONE, markdown, percent

AMONG = tuple(STRATEGIES[name] for name in ALL.values())  # of the maps: those with a verdict
ALWAYS_UME, ALWAYS_JOINT = "always UME", "always joint (MLP)"  # rules
FIXED = {ALWAYS_UME: "always using UME", ALWAYS_JOINT: ALWAYS_JOINT}
NAMES = {
    MAIN: "Our rule, inputs for pairs",
    LAYER: "Our rule, last layer only",
    SIGN: "The paper's rule, by sign",
}


def table(measured: dict[str, dict]) -> str:
    """The scores of every rule over the held-out cells of every map."""
    rows = []
    for dataset, found in measured.items():
        cases = held_out(found)
        for rule in RULES:
            if not all(rule in case["rules"] for case in cases):
                continue  # not all of its strategies were trained
            score = scored(cases, rule)
            decided = sum(case["rules"][rule]["decided"] for case in cases)
            shares = [_share(score[k]) if names_best(rule) else NONE for k in list(score)[:4]]
            rows.append([dataset, rule, f"{decided} of {len(cases)}", *shares])
            rows[-1].append(_share(score["regret"]))
    head = ["map", "rule", "decided", "right (%)", "right if it names a strategy (%)"]
    head += [f"{UNCLEAR} in {which} settings (%)" for which in ("decided", "other")]
    head.append("regret (points)")
    return markdown(head, rows)


def names_best(rule: str) -> bool:
    """Whether the rule can name the best strategy; the others have a regret only."""
    return bool(RULES[rule].takes.keys() & RULES[rule].among.keys())


def sentences(measured: dict[str, dict]) -> str:
    """The findings as a Markdown list."""
    cases = pooled(measured)
    if not cases:
        return "No held-out setting was measured."
    lines = [_aim(cases, rule) for rule in NAMES]
    lines += [_errors(cases), _limits(cases), _last_layer(cases), _paper(cases), _unclear(cases)]
    seeds, tested, read = (
        " or ".join(f"{n:,}" for n in sorted({found[key] for found in measured.values()}))
        for key in ("seeds", "n_test", "n_validation")
    )
    lines.append(
        f"There are {len(cases)} held-out cases. The best strategy is determined from {seeds} "
        f"seeds with {tested} test samples each; the guide reads {read} validation samples."
    )
    return "\n".join(f"- {line}" for line in lines)


def answer(measured: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """How often the guide names the best strategy, and what it loses, beside fixed strategies."""
    cases = pooled(measured)
    found = scored(cases, MAIN) if cases else {}
    right, regret = found.get("right"), found.get("regret")
    if right is None or regret is None:
        return []
    best = decided_best(cases, MAIN)
    fixed = ", ".join(
        f"{name} {100 * _mean_regret(cases, rule):.1f}" for rule, name in FIXED.items()
    )
    return [
        f"On generated data, the guide names the best strategy in **{percent(right)}%** of the "
        f"{right.n} settings in which one of UME, UMT and joint training (MLP) is best (our aim: "
        f"{100 * AIM_RIGHT:.0f}%).",
        f"These settings have new seeds, but some of them had shaped its rule. UMT is the best in "
        f"{best.count(UMT)} of them, so its verdict *UMT* is hardly tested.",
        f"Over all {len(cases)} settings it loses {percent(regret)} points to the best of them "
        f"(our aim: {100 * AIM_REGRET:.1f}); {fixed}.",
    ]


def decided_best(cases: Cases, rule: str) -> list[str]:
    """The best strategy of each decided case, of those between which the rule decides."""
    found = [case["rules"][rule] for case in cases]
    return [one["best"] for one in found if one["decided"]]


def _mean_regret(cases: Cases, rule: str) -> float:
    return float(np.mean([case["rules"][rule]["regret"] for case in cases]))


def _aim(cases: Cases, rule: str) -> str:
    score = scored(cases, rule)
    right, regret = score["right"], score["regret"]
    if right is None or regret is None:
        return f"**{NAMES[rule]}**: there are too few decided settings."
    kept = right.mean >= AIM_RIGHT, regret.mean <= AIM_REGRET
    verb = {2: "reaches both aims", 1: "reaches one of two aims", 0: "misses both aims"}[sum(kept)]
    sure = right.low >= AIM_RIGHT and regret.high <= AIM_REGRET
    doubt = " on average, but its intervals include values that do not"
    return (
        f"**{NAMES[rule]} {verb}**{doubt if all(kept) and not sure else ''} (right in "
        f"{100 * AIM_RIGHT:.0f}% of decided settings; a regret of {100 * AIM_REGRET:.1f} points): "
        f"it is right in {percent(right)}% of {right.n} decided settings, and its regret is "
        f"{_share(regret)} points."
    )


def _errors(cases: Cases) -> str:
    """The verdicts in the cells in which the guide is not right."""
    wrong = [c for c in cases if c["rules"][MAIN]["decided"] and not c["rules"][MAIN]["right"]]
    if not wrong:
        return "**Errors of the guide**: it is right in every decided setting."
    given = [c["verdicts"][BOTH]["ours"] for c in wrong]
    paired = sum(
        v == INTERACTIONS and paired_gain(c) > 0 for v, c in zip(given, wrong, strict=True)
    )
    counts = ", ".join(f"{v} in {given.count(v)}" for v in VERDICTS if v in given)
    return (
        f"**Errors of the guide**: it is not right in {len(wrong)} decided settings, and its "
        f"verdict is {counts}. In {paired} of them the verdict is interactions and the data "
        f"contain a paired feature: the guide detects it, but joint training on these samples does "
        f"not learn it, or loses more elsewhere than it gains."
    )


def _limits(cases: Cases) -> str:
    """Which verdicts the decided cells can test, and the regret of two fixed strategies."""
    decided = decided_best(cases, MAIN)
    counts = ", ".join(f"{v} in {decided.count(v)}" for v in VERDICTS[:3])
    joint, ume = (_share(scored(cases, rule)["regret"]) for rule in (ALWAYS_JOINT, ALWAYS_UME))
    least = min(_mean_regret(cases, rule) for rule in FIXED)
    verb = "loses less" if _mean_regret(cases, MAIN) < least else "does not lose less"
    untested = [v for v in VERDICTS[:3] if v not in decided]
    tail = f" So they do not test the verdict {' or '.join(untested)}." if untested else ""
    return (
        f"**What these settings can show**: of {len(decided)} decided settings the best strategy "
        f"is {counts}.{tail} Always training jointly with an MLP head has a regret of "
        f"{joint} points, always using UME one of {ume}. "
        f"**The guide {verb} than the better of these two fixed strategies.**"
    )


def _last_layer(cases: Cases) -> str:
    """How often the inputs contain what the last layer does not."""
    wanted = [c for c in cases if (r := c["rules"][MAIN])["decided"] and r["best"] != UME]
    seen = {rule: sum(case["rules"][rule]["right"] for case in wanted) for rule in (LAYER, MAIN)}
    papers = sum(c["verdicts"][LAST]["paper by sign"] != UME for c in wanted)
    return (
        f"**What the last layer does not contain**: in {len(wanted)} settings joint training, with "
        f"or without teachers, is clearly best. With the last layer only, our rule names the "
        f"strategy in {seen[LAYER]} of them; with components of the inputs, in {seen[MAIN]}. A "
        f"linear head on frozen features is more accurate than UME (mean) in {papers}, and there "
        f"the paper's rule by sign names UMT."
    )


def _paper(cases: Cases) -> str:
    parts = []
    for rule, how in (
        (OWN_SIGN, "by sign"),
        (OWN, "with an interval"),
        (OWN_MLP, "with an interval and an MLP head for UMT"),
    ):
        score = scored(cases, rule)
        share = score["right"] and f"right in {percent(score['right'])}% of decided settings"
        share = share or "too few settings are decided"
        parts.append(f"{how}, {share}, regret {_share(score['regret'])} points")
    return "**The paper's rule between its own two strategies** (UME (mean), UMT): " + (
        f"{'; '.join(parts)}."
    )


def _unclear(cases: Cases) -> str:
    score = scored(cases, MAIN)
    decided, tied = score["unclear when decided"], score["unclear when tied"]
    return (
        f"**{UNCLEAR.capitalize()}** is the verdict of our rule in {_share(decided)}% of decided "
        f"settings and in {_share(tied)}% of the others."
    )


def verdicts(measured: dict[str, dict]) -> str:
    """The verdicts of each rule on every data set, and the best strategy on the test split."""
    rows = []
    for dataset, found in measured.items():
        cases = found["cases"]
        given = [
            _counts([case["verdicts"][view][who] for case in cases])
            for view, who in ((BOTH, "ours"), (LAST, "ours"), (LAST, "paper"))
        ]
        regrets = [f"{100 * _mean_regret(cases, rule):.1f}" for rule in (MAIN, LAYER, PAPERS)]
        rows.append([dataset, *given, _best(found), *regrets])
    head = ["data set", "our verdict (seeds)", "last layer only", "the paper's rule"]
    head += ["best on the test split", "regret, ours", "regret, last layer only", "regret, paper's"]
    few = [d for d, found in measured.items() if found["groups"] == "too few"]
    note = (
        f"\n\n{', '.join(few)}: the validation split has too few groups for folds, so the guide "
        f"treats its samples as independent."
    )
    note = note if few else ""
    for dataset, found in measured.items():
        if found["without"]:
            note += (
                f"\n\n{dataset}: the guide reads no samples of {', '.join(found['without'])}, "
                f"of which the validation split of some seed has too few samples or groups; the "
                f"test split has them."
            )
    return markdown(head, rows) + note


def _best(found: Mapping[str, Any]) -> str:
    """The best verdict on the test split, and those that are not clearly worse."""
    means = {verdict: np.mean(found["test"][strategy]) for verdict, strategy in ALL.items()}
    best = max(means, key=means.__getitem__)
    top = np.asarray(found["test"][ALL[best]])
    unclear = [
        verdict
        for verdict, strategy in ALL.items()
        if verdict != best and t_interval(top - np.asarray(found["test"][strategy])).low <= 0
    ]
    return f"{best}; not clearly worse: {', '.join(unclear)}" if unclear else best


def _counts(verdicts: Sequence[str]) -> str:
    """How often each verdict was given, the most frequent first, as in ``UME (4), UMT (1)``."""
    return ", ".join(f"{verdict} ({times})" for verdict, times in Counter(verdicts).most_common())


def _share(value: Interval | None) -> str:
    return NONE if value is None else percent(value)
