"""Is the guide right? In tables and sentences; every number is read from cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from umt_lib.evaluation.intervals import Interval, t_interval
from umt_lib.guide.recommendation import INTERACTIONS, UME, UNCLEAR, VERDICTS
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
    pooled,
    scored,
)
from umt_lib.study.report.format import NONE, markdown, percent


def table(measured: dict[str, dict]) -> str:
    """Every rule over all held-out cells of every map."""
    rows = []
    for dataset, found in measured.items():
        cases = held_out(found)
        for rule in RULES:
            score = scored(cases, rule)
            decided = sum(case["rules"][rule]["decided"] for case in cases)
            shares = [_share(score[k]) for k in list(score)[:4]]
            rows.append([dataset, rule, f"{decided} of {len(cases)}", *shares])
            rows[-1].append(_share(score["regret"]))
    head = ["map", "rule", "decided", "right (%)", "right where it names one (%)"]
    head += ["no clear winner: decided (%)", "no clear winner: ties (%)", "regret (points)"]
    return markdown(head, rows)


def sentences(measured: dict[str, dict]) -> str:
    """A Markdown list, what speaks against the guide first."""
    cases = pooled(measured)
    if not cases:
        return "No held-out cell was measured."
    lines = [_aim(cases, rule) for rule in (MAIN, LAYER, SIGN)]
    lines += [_wrong(cases), _limits(cases), _blind(cases), _paper(cases), _noise(cases)]
    seeds, tested, seen = (
        " or ".join(f"{n:,}" for n in sorted({found[key] for found in measured.values()}))
        for key in ("seeds", "n_test", "n_validation")
    )
    lines.append(
        f"{len(cases)} held-out cases; truth from {seeds} seeds and {tested} test samples each; "
        f"the guide saw {seen} validation samples."
    )
    return "\n".join(f"- {line}" for line in lines)


def _aim(cases: Cases, rule: str) -> str:
    score = scored(cases, rule)
    right, regret = score["right"], score["regret"]
    if right is None or regret is None:
        return f"**{_name(rule)}**: too few decided cells to say."
    kept = right.mean >= AIM_RIGHT, regret.mean <= AIM_REGRET
    verb = {2: "reaches both aims", 1: "reaches one of two aims", 0: "misses both aims"}[sum(kept)]
    sure = right.low >= AIM_RIGHT and regret.high <= AIM_REGRET
    doubt = " in the mean, but its intervals do not: this many cells prove neither"
    return (
        f"**{_name(rule)} {verb}**{doubt if all(kept) and not sure else ''} (right in "
        f"{100 * AIM_RIGHT:.0f}% of decided cells; {100 * AIM_REGRET:.1f} points of regret): right "
        f"in {percent(right)}% of {right.n} decided cells, regret {_share(regret)} points."
    )


def _wrong(cases: Cases) -> str:
    """What it says where it is not right, and whether there was anything in it."""
    wrong = [c for c in cases if c["rules"][MAIN]["decided"] and not c["rules"][MAIN]["right"]]
    if not wrong:
        return "**Where it errs**: in no decided cell."
    said = [c["verdicts"][BOTH]["ours"] for c in wrong]
    pairs = sum(v == INTERACTIONS and c["paired"] > 0 for v, c in zip(said, wrong, strict=True))
    counts = ", ".join(f"{v} in {said.count(v)}" for v in VERDICTS if v in said)
    return (
        f"**Where it errs**: in {len(wrong)} decided cells it says {counts}. In {pairs} of them it "
        f"says interactions and the data do hold a pair: the guide finds it, and joint training on "
        f"these samples does not learn it, or loses more elsewhere than it gains."
    )


def _limits(cases: Cases) -> str:
    """What the decided cells can test at all, and what asking nothing would have got."""
    decided = [c["rules"][MAIN]["best"] for c in cases if c["rules"][MAIN]["decided"]]
    counts = ", ".join(f"{v} in {decided.count(v)}" for v in VERDICTS[:3])
    blind = ("always joint (MLP)", "always UME")
    lost = {rule: _share(scored(cases, rule)["regret"]) for rule in blind}
    means = {rule: np.mean([c["rules"][rule]["regret"] for c in cases]) for rule in (*blind, MAIN)}
    ours = means.pop(MAIN)
    verb = "beats" if ours < min(means.values()) else "does not beat"
    untested = [v for v in VERDICTS[:3] if v not in decided]
    tail = f" So being right was not tested for {' and '.join(untested)}." if untested else ""
    return (
        f"**What this can and cannot show**: of {len(decided)} decided cells the best is {counts}."
        f"{tail} Asking nothing and always training jointly with an MLP head has a regret of "
        f"{lost['always joint (MLP)']} points, always taking UME one of {lost['always UME']}. "
        f"**The guide {verb} the better of these two.**"
    )


def _blind(cases: Cases) -> str:
    """How often the last layer hides what the inputs show."""
    wanted = [c for c in cases if (r := c["rules"][MAIN])["decided"] and r["best"] != UME]
    seen = {rule: sum(case["rules"][rule]["right"] for case in wanted) for rule in (LAYER, MAIN)}
    papers = sum(c["verdicts"][LAST]["paper by sign"] != UME for c in wanted)
    return (
        f"**What the last layer hides**: in {len(wanted)} cells training together is clearly best. "
        f"Given the last layer, our rule names the way in {seen[LAYER]}; looking for "
        f"pairs in components of the inputs, in {seen[MAIN]}. A linear head on frozen features "
        f"beats UME's mean at all in {papers}, and then the paper's rule names UMT."
    )


def _paper(cases: Cases) -> str:
    parts = []
    for rule, how in (
        (OWN_SIGN, "by sign"),
        (OWN, "with an interval"),
        (OWN_MLP, "with an interval and an MLP head for UMT"),
    ):
        score = scored(cases, rule)
        share = score["right"] and f"right in {percent(score['right'])}% of decided cells"
        share = share or "too few cells are decided"
        parts.append(f"{how}, {share}, regret {_share(score['regret'])} points")
    said = "; ".join(parts)
    return f"**The paper's rule between its own two ways** (UME by the mean, UMT): {said}."


def _noise(cases: Cases) -> str:
    score = scored(cases, MAIN)
    decided, tied = score["unclear when decided"], score["unclear when tied"]
    return (
        f"**{UNCLEAR.capitalize()}** is said by our rule in {_share(decided)}% of "
        f"decided cells and in {_share(tied)}% of ties."
    )


def verdicts(measured: dict[str, dict]) -> str:
    """Per data set what each rule says, by seeds, and what the test split says."""
    rows = []
    for dataset, found in measured.items():
        cases = found["cases"]
        said = [
            _counts([case["verdicts"][view][who] for case in cases])
            for view, who in ((BOTH, "ours"), (LAST, "ours"), (LAST, "paper"))
        ]
        regrets = [
            f"{100 * np.mean([case['rules'][rule]['regret'] for case in cases]):.1f}"
            for rule in (MAIN, LAYER, PAPERS)
        ]
        rows.append([dataset, *said, _truth(found), *regrets])
    head = ["data set", "our verdict (seeds)", "from the last layer only", "the paper's rule"]
    head += ["the test split", "regret, ours", "last layer only", PAPERS]
    few = [d for d, found in measured.items() if found["groups"] == "too few"]
    note = (
        f"\n\n{', '.join(few)}: the validation split has too few groups for folds, so the guide "
        f"treats its samples as independent."
    )
    note = note if few else ""
    for dataset, found in measured.items():
        if found["without"]:
            note += (
                f"\n\n{dataset}: the guide was asked without {', '.join(found['without'])}, which "
                f"occur in too few groups of the validation split; the test split has them."
            )
    return markdown(head, rows) + note


def _truth(found: Mapping[str, Any]) -> str:
    """``interactions``, or which ways tie with the best."""
    means = {v: np.mean(found["test"][way]) for v, way in ALL.items()}
    best = max(means, key=means.__getitem__)
    top = np.asarray(found["test"][ALL[best]])
    ties = [
        verdict
        for verdict, way in ALL.items()
        if verdict != best and t_interval(top - np.asarray(found["test"][way])).low <= 0
    ]
    return f"{best}; ties with {', '.join(ties)}" if ties else best


def _counts(said: Sequence[str]) -> str:
    """``UME (4), UMT (1)``: the commonest first; ties in the order of their seeds."""
    return ", ".join(f"{verdict} ({times})" for verdict, times in Counter(said).most_common())


def _share(value: Interval | None) -> str:
    return NONE if value is None else percent(value)


def _name(rule: str) -> str:
    names = {
        LAYER: "Our rule, last layer only",
        MAIN: "Our rule, inputs for pairs",
        SIGN: "The paper's rule, by sign",
    }
    return names[rule]
