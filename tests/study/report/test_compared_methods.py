"""The chapter on compared methods: hand-made accuracies with a known ranking."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import pytest
from entries import entry, ume

from umt_lib.evaluation.intervals import Interval
from umt_lib.methods import METHODS
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import compared_methods, compared_page
from umt_lib.study.report.choices import SIMPLE, simple
from umt_lib.study.report.format import NONE

SPREAD = [0.0, 0.01, 0.02]


def at(value: float) -> list[float]:
    """Accuracies of three seeds, with the same spread for every method: no noise in differences."""
    return [value + step for step in SPREAD]


@pytest.fixture
def study() -> Study:
    """OGM is clearly best, PMR clearly worst; the rule *mean* of UME is better than its choice."""
    rows = []
    for dataset in ("synthetic", "watch"):
        rows += [
            entry(dataset, "joint", at(0.70)),
            entry(dataset, "ume", at(0.90), rule="mean"),
            ume(dataset, at(0.73)),
            entry(dataset, "ogm", at(0.80)),
            entry(dataset, "pmr", at(0.60)),
        ]
    rows.append(entry("synthetic", "agm", at(0.97)))  # on one data set only
    return Study(rows)


def everything(dataset: str) -> list:
    """All simple choices at 0.70, each as one experiment."""
    methods = {METHODS[name].title: name for name in METHODS}
    made = []
    for label in SIMPLE:
        title, _, head = label.removesuffix(")").partition(" (")
        here = partial(entry, dataset, methods[title], at(0.70))
        made.append(here(head.lower()) if head else ume(dataset, at(0.70)))
    return made


def test_every_simple_choice_is_the_label_of_an_experiment():
    found = simple(Study(everything("watch")), "watch")
    assert tuple(found) == SIMPLE
    heads = ("linear", "MLP")
    wanted = {f"{name} ({head})" for name in ("joint", "UMT", "frozen encoders") for head in heads}
    wanted |= {f"joint + uni-modal CE ({head})" for head in heads}
    assert wanted | {"UME"} | {f"joint, UMT's budget ({h})" for h in heads} == set(SIMPLE)


def test_ume_is_the_rule_that_validation_chose(study):
    choices = simple(study, "watch")
    assert list(choices) == ["joint (linear)", "UME"]  # what was not run is not there
    assert choices["UME"].result.measured.chosen == {"rule": "product"}
    assert study.find("watch", "ume", rule="mean").label == "UME (mean)"
    without = Study([e for e in study.entries if e.label != "UME"])
    assert list(simple(without, "watch")) == ["joint (linear)"]  # no single rule in its place


def test_ranks_are_over_methods_that_all_data_sets_have(study):
    found = compared_methods.ranks(study)
    assert list(found) == ["OGM", "UME", "joint (linear)", "PMR"]
    assert [value.mean for value in found.values()] == [1, 2, 3, 4]
    assert compared_methods.ranking(found, compared_methods.ranked(study)).axes


def test_a_data_set_with_few_methods_leaves_the_ranking_as_it_is(study):
    few = [entry("furniture", "joint", at(0.9)), entry("furniture", "ogm", at(0.1))]
    assert compared_methods.ranks(Study([*study.entries, *few])) == compared_methods.ranks(study)


def test_the_probability_of_improvement_is_over_data_sets_and_seeds(study):
    mixed = entry("watch", "lfm", [0.72, 0.71, 0.71])  # joint: better once, equal once, worse once
    always = entry("synthetic", "lfm", at(0.75))
    rows = compared_methods.improvements(Study([*study.entries, mixed, always])).splitlines()
    assert rows[0].count("better than") == 2
    cells = {row.split(" | ")[0].strip("| "): row.split(" | ")[1:] for row in rows[2:]}
    assert list(cells) == ["OGM", "LFM", "PMR"]
    assert cells["OGM"][1].startswith("100 [100")
    assert cells["LFM"][1].startswith("75 [")


def test_clear_wins_and_losses_are_counted(study):
    family = compared_methods.differences(study)
    text = compared_methods.answer(family)
    assert "of 3 methods on 2 data sets" in text
    assert "than UME: better in 3, worse in 2 of 5" in text
    assert "UMT" not in text
    rows = compared_methods.counts(study, family).splitlines()
    row = next(line for line in rows if "watch" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    clear = "1\u00a0/\u00a01"
    wanted = [clear if choice in ("joint (linear)", "UME") else NONE for choice in SIMPLE]
    assert cells == ["watch", "2", *wanted]
    assert compared_methods.counts(Study([]), family) == compared_methods.NOTHING


def test_a_difference_that_holm_removes_is_no_win(study):
    """Its p-value is 0.04; ten of the other comparisons are certain, so that Holm doubles it."""
    noisy = entry("watch", "lfm", [0.716, 0.735, 0.754])
    more = Study([*study.entries, noisy])
    family = compared_methods.differences(more)
    gain = family.get(("watch", "LFM", "joint (linear)"))
    assert not gain.contains_zero
    assert not family.is_better(("watch", "LFM", "joint (linear)"))
    assert "OGM, LFM" not in compared_methods.sentences(more, family)
    text = compared_methods.survivors(family)
    assert text.startswith("The chapter makes 12 comparisons")
    assert "11 intervals exclude 0" in text
    assert "and 10 if the probability of any false claim" in text


def test_better_than_every_simple_choice_is_better_than_each(study):
    """One choice that a method does not clearly beat, whichever it is, removes the claim."""
    best = entry("watch", "ogm", at(0.80))

    def claims(rows: list) -> str:
        made = Study([*rows, best])
        return compared_methods.sentences(made, compared_methods.differences(made))

    assert "every simple choice**: on watch OGM." in claims(everything("watch"))
    for i, label in enumerate(SIMPLE):
        strong = everything("watch")
        strong[i] = (
            ume("watch", at(0.80))
            if label == "UME"
            else entry("watch", strong[i].method, at(0.80), strong[i].head)
        )
        assert "every simple choice**: none, on any data set." in claims(strong), label
        missing = [e for e in everything("watch") if e.label != label]
        text = claims(missing)
        assert "every simple choice**: not known. Not counted: watch" in text, label


def test_the_sentences_name_the_better_methods(study):
    text = compared_methods.sentences(study, compared_methods.differences(study))
    assert "**Better than UME**: on synthetic OGM, AGM; on watch OGM." in text
    assert "either head**: not known" in text
    empty = Study([])
    assert compared_methods.sentences(empty, compared_methods.differences(empty)) == ""


def test_released_code_is_not_compared_but_has_a_row_beside_its_paper(study):
    code = entry("watch", "pmr", at(0.66), released=True)
    lonely = entry("watch", "mla", at(0.5), released=True)  # its paper's version did not run
    more = Study([*study.entries, code, lonely])
    assert compared_methods.compared(more, "watch") == compared_methods.compared(study, "watch")
    assert [code for _, code in compared_methods.released(more)] == [code]
    (row,) = [
        line
        for line in compared_methods.released_table(compared_methods.released(more)).splitlines()
        if "watch" in line
    ]
    assert "PMR" in row
    assert "+6.0 [+6.0" in row
    assert "as released" in code.label
    old = replace(code, stale="made by other code")
    assert compared_methods.released(Study([*study.entries, old])) == []
    assert "as released" not in study.of("watch", "pmr")[0].label


def test_a_steps_cost_is_the_median_over_data_sets(tmp_path):
    ratios = {
        f"{data}-{name}": {"time": time, "least": 1.0, "memory": 1.0}
        for name, times in {
            "ogm": (1.0, 1.3, 9.0),
            "g2d": (1.0, 1.2, 9.0),
            "joint-linear": (1.0, 1.0, 1.0),
        }.items()
        for data, time in zip(("synthetic", "watch", "furniture"), times, strict=True)
    }
    file = tmp_path / "method_cost.json"
    file.write_text(json.dumps({"ratios": ratios}))
    table = compared_methods.costs(file)
    assert "| OGM | 1.30 | 1.00 | 1.00 | none |" in table
    assert "| G2D | 1.20 | 1.00 | 1.00 | one per modality |" in table
    assert "joint" not in table.lower()  # what all is measured against is no row


def test_the_detectable_difference_is_the_first_that_holms_method_would_call_clear():
    wide = Interval(0.0, -0.01, 0.01, 5)
    for count in (1, 50):
        needed = compared_methods.detectable(Family(dict.fromkeys(range(count), wide)))
        for share, clear in ((1.01, True), (0.99, False)):
            moved = wide._replace(mean=share * needed, low=share * needed - 0.01,
                                  high=share * needed + 0.01)  # fmt: skip
            found = Family({**dict.fromkeys(range(1, count), wide), 0: moved})
            assert found.is_clear(0) == clear


def test_a_stale_result_is_neither_compared_nor_a_reference_and_is_counted(study):
    old = [
        replace(e, stale="made with other params") if e.dataset == "watch" else e
        for e in study.entries
    ]
    with_stale = Study(old)
    assert compared_methods.compared(with_stale, "watch") == []
    assert compared_methods.covered(with_stale) == ["synthetic"]
    assert {key[0] for key in compared_methods.differences(with_stale).gains} == {"synthetic"}
    text = compared_methods.left_out(with_stale)
    assert "2 of 5 results of compared methods are stale and left out" in text
    assert "(watch)" in text
    assert compared_methods.left_out(study) == ""


def test_a_stale_simple_choice_is_no_reference_though_the_methods_are_current(study):
    rows = [
        replace(e, stale="made with other params")
        if (e.dataset, e.label) == ("watch", "joint (linear)")
        else e
        for e in study.entries
    ]
    family = compared_methods.differences(Study(rows))
    assert {key[2] for key in family.gains if key[0] == "watch"} == {"UME"}
    assert {key[2] for key in family.gains if key[0] == "synthetic"} == {"joint (linear)", "UME"}


def test_false_discoveries_are_limited_for_each_simple_choice_on_its_own():
    """One comparison with joint training, p = 0.04, and two with UME in which nothing differs."""
    doubtful = [0.716, 0.735, 0.754]
    rows = [entry("watch", "joint", at(0.7)), entry("watch", "lfm", doubtful)]
    same = [ume("furniture", at(0.7)), *(entry("furniture", m, at(0.7)) for m in ("ogm", "pmr"))]
    family = compared_methods.differences(Study([*rows, *same]))
    assert len(family) == 3
    text = compared_methods.answer(family)
    assert "than joint (linear): better in 1, worse in 0 of 1" in text
    assert "than UME: better in 0, worse in 0 of 2" in text


def test_without_a_method_run_in_both_versions_the_page_names_what_is_missing(study, monkeypatch):
    """Compared methods have been run, so it does not say that none has."""
    monkeypatch.setattr(compared_page, "study", lambda: study)
    assert "both as its paper and as its released code" in compared_page.released()
