"""The guide on real feature sets beside a direct experiment: a table of sets and one of rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from umt_lib.study.analyses.guide_check.rules import ALL, CHEAP, LAST, LAYER, PAPERS, PAPERS_MLP
from umt_lib.study.analyses.guide_check.score import scored
from umt_lib.study.report.format import NONE, markdown, percent
from umt_lib.study.report.guide_check_text import ALWAYS_JOINT, ALWAYS_UME, names_best

SHOWN = {  # rule: its name in tables
    LAYER: "ours",
    CHEAP: "ours, cheapest",
    PAPERS: "the paper's",
    PAPERS_MLP: "the paper's, MLP head",
    ALWAYS_UME: ALWAYS_UME,
    ALWAYS_JOINT: ALWAYS_JOINT,
    "always frozen": "always frozen (linear head)",
}
LOST = (LAYER, CHEAP, PAPERS)  # rules whose regret is shown for every set


def sets(found: Mapping[str, Any]) -> str:
    """Every feature set: the verdicts, the best strategy of the direct experiment, and regrets."""
    rows = []
    for case in found["cases"]:
        given, rules = case["verdicts"][LAST], case["rules"]
        main = rules[LAYER]
        best = ALL[main["best"]] + ("" if main["decided"] else ", not clearly")
        verdicts = [given[who] for who in ("ours", "cheapest", "paper", "paper, MLP head")]
        regrets = [f"{100 * rules[rule]['regret']:.1f}" for rule in LOST]
        rows.append([case["dataset"], *verdicts, best, *regrets])
    head = ["feature set", "our verdict", "cheapest", "the paper's rule", "with an MLP head"]
    head += ["best of the networks", *(f"regret, {SHOWN[rule]}" for rule in LOST)]
    return markdown(head, rows)


def scores(found: Mapping[str, Any]) -> str:
    """Every rule over all feature sets: share right in decided cases, and mean regret."""
    rows, cases = [], found["cases"]
    for rule, name in SHOWN.items():
        score = scored(cases, rule)
        decided = sum(case["rules"][rule]["decided"] for case in cases)
        right, regret = score["right"] if names_best(rule) else None, score["regret"]
        row = [NONE if part is None else percent(part) for part in (right, regret)]
        rows.append([name, f"{decided} of {len(cases)}", *row])
    return markdown(["rule", "decided", "right (%)", "regret (points)"], rows)
