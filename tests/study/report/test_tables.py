"""Tables and sentences state what the results contain."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_study
import yaml
from entries import entry

from umt_lib import paths
from umt_lib.data import DATASETS
from umt_lib.evaluation import intervals
from umt_lib.evaluation.intervals import Interval
from umt_lib.methods import METHODS
from umt_lib.study.experiments import comparisons, results
from umt_lib.study.experiments.results import Trial
from umt_lib.study.pipeline.collection import Study, gather
from umt_lib.study.report import costs, summaries, tables
from umt_lib.study.report.findings import Page, compared
from umt_lib.study.report.format import (
    EQUIVALENT,
    MINUS,
    NONE,
    NOTHING,
    in_words,
    markdown,
    percent,
    points,
)
from umt_lib.study.report.shown import made_from


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tiny_study.Folders:
    return tiny_study.make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def study(folders) -> Study:
    return folders.study()


def cells(table: str) -> dict[str, list[str]]:
    """{first cell: the others} of a pipe table, without links."""
    table = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", table)
    rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows[2:]}


def test_numbers_are_written_in_percent_with_their_interval():
    assert percent(Interval(0.832, 0.81, 0.854, 5)) == "83.2 [81.0,\u00a085.4]"
    assert points(Interval(-0.012, -0.03, 0.001, 5)) == "\u22121.2 [\u22123.0,\u00a0+0.1]"
    assert points(Interval(0.03, 0.02, 0.04, 5), clear=True) == "**+3.0 [+2.0,\u00a0+4.0]**"
    assert points(None) == "\u2013"


@pytest.mark.parametrize(
    ("low", "shown"),
    [
        (-0.0004, "\u22120.04"),  # on which side of 0 it lies shows
        (0.0004, "+0.04"),
        (0.0006, "+0.1"),
        (0.00001, "+0.001"),
        (-0.00001, "\u22120.001"),
        (0.0, "0.0"),
    ],
)
def test_a_bound_that_rounds_to_zero_has_more_digits(low, shown):
    assert points(Interval(0.01, low, 0.02, 5)) == f"+1.0 [{shown},\u00a0+2.0]"
    assert points(Interval(-0.01, -0.02, low, 5)) == f"\u22121.0 [\u22122.0,\u00a0{shown}]"


@pytest.mark.parametrize("write", [percent, points])
def test_one_seed_has_no_interval(write):
    """Never [-inf, inf]."""
    shown = write(intervals.t_interval([0.5]))
    assert shown.endswith("50.0 (one seed)")
    assert "inf" not in shown
    assert percent(intervals.accuracy_interval([0.5])) == "50.0 (one seed)"


@pytest.mark.parametrize(
    ("low", "high", "clear", "words"),
    [
        (-0.1, 0.2, False, "no clear difference between x and y"),
        (0.01, 0.2, True, "x is better than y"),
        (0.01, 0.2, False, "no clear difference between x and y"),  # Holm removes it
        (-0.3, -0.1, True, "x is worse than y"),
        (0.001, 0.002, True, "x is better than y"),  # a small difference, but a clear one
        (0.001, 0.002, False, "x and y are equivalent"),
        (-0.01, 0.01, False, "x and y are equivalent"),
        (-0.01, 0.0101, False, "no clear difference between x and y"),
        (-0.0101, 0.01, False, "no clear difference between x and y"),
    ],
)
def test_interval_and_correction_determine_the_words_of_a_comparison(low, high, clear, words):
    """Equivalent only if the whole interval lies within 1 point (TOST)."""
    assert EQUIVALENT == 0.01
    gain = Interval((low + high) / 2, low, high, 5)
    assert in_words("x", "y", gain, clear) == words
    sentence = compared("x", "y", gain, clear)
    assert sentence.lower().startswith(f"**{words}**: ")
    assert ("the interval contains 0" in sentence) == (gain.contains_zero and not clear)
    assert ("Holm" in sentence) == (not gain.contains_zero and not clear)
    assert ("\u00b11 point" in sentence) == ("equivalent" in words)


def test_a_comparison_in_words_and_numbers():
    unclear = "**No clear difference between UMT and UME**: +0.3 [\u22120.9,\u00a0+1.5] points"
    found = compared("UMT", "UME", Interval(0.003, -0.009, 0.015, 5), False)
    assert found == f"{unclear} (the interval contains 0)."
    better = "**With MLP heads, UMT is better than UME**: +2.0 [+1.0,\u00a0+3.0] points."
    gain = Interval(0.02, 0.01, 0.03, 5)
    assert compared("UMT", "UME", gain, True, "with MLP heads, ") == better
    one = compared("UMT", "UME", intervals.t_interval([0.02]), False)
    assert one == "**No clear difference between UMT and UME**: +2.0 (one seed) points."


def test_rows_stand_in_the_order_of_methods_and_say_where_they_ran(study):
    rows = cells(tables.accuracies(study, study.entries))
    assert list(rows) == [
        "uni-modal (a)",
        "uni-modal (b)",
        "UME",
        "UME (mean)",
        "joint (linear)",
        "joint (MLP)",
        "UMT (linear)",
    ]  # longer joint training has not run
    assert rows["joint (linear)"][-1] == "this machine"
    assert rows["UMT (linear)"][-1] == "published"


def test_accuracies_are_those_of_the_results_files(study, folders):
    umt = results.load(folders.published / "synthetic-umt.json")
    joint = results.load(folders.local / "synthetic-joint-linear.json")
    row = cells(tables.accuracies(study, study.entries))["UMT (linear)"]
    assert row[0] == percent(intervals.accuracy_interval(umt.accuracy))
    assert row[2] == points(comparisons.difference(umt, joint))
    assert row[1] == str(len(umt.measured.seeds))


def test_the_answer_has_the_numbers_of_the_question_and_its_differences(study):
    row = cells(tables.answer(study))["synthetic"]
    found = study.labelled("synthetic")
    labels = ("UME", "joint (linear)", "UMT (linear)", "joint (MLP)")
    accuracies = [found[label].result.accuracy for label in labels]
    assert row[1:5] == [percent(intervals.accuracy_interval(values)) for values in accuracies]
    assert row[5] == "not run yet"  # UMT with an MLP head has no params file here
    gain = comparisons.difference(found["UMT (linear)"].result, found["joint (linear)"].result)
    clear = summaries.front(study).is_clear(("synthetic", "UMT (linear)", "joint (linear)"))
    differences = summaries.answer(study)
    assert cells(differences)["synthetic"][1].startswith(points(gain, clear))
    assert f"UMT (linear) {MINUS} joint (linear)" in differences
    assert "Holm's correction over the 4 differences of this table" in differences


def test_costs_with_teachers_are_sums(study):
    rows = cells(tables.costs(study, "synthetic"))
    epochs, samples = 6, 80
    assert study.result("synthetic", "joint").provenance.cost.samples == epochs * samples
    swept = len(study.result("synthetic", "umt").measured.sweep)
    assert rows["UMT (linear)"][3] == str(swept + 2)  # two teachers
    assert rows["UME"][3] == "2"
    passes = study.labelled("synthetic")
    unimodal = costs.total_passes(study, passes["uni-modal (a)"])
    assert unimodal == epochs * samples
    assert costs.total_passes(study, passes["joint (linear)"]) == 2 * unimodal
    assert costs.total_passes(study, passes["UME"]) == 2 * unimodal  # of its teachers
    assert costs.total_passes(study, passes["UMT (linear)"]) == 4 * unimodal


def test_costs_without_a_teachers_result_are_not_known():
    """A sum without a teacher would be too small."""
    teachers = {m: f"watch-{m}" for m in "ab"}
    one = entry("watch", "unimodal", [0.5, 0.6], modality="a", name="watch-a")
    study = Study([one, entry("watch", "g2d", [0.5, 0.6], teachers=teachers)])
    assert cells(tables.costs(study, "watch"))["G2D (linear)"][:4] == ["1.0", NONE, NONE, NONE]


def test_the_sweep_marks_the_value_that_was_chosen(study):
    chosen = {e.label: e.result.measured.chosen for e in study.entries if e.result}
    rows = [row for row in tables.sweeps(study, "synthetic").splitlines() if "chosen" in row]
    assert len(rows) == 2
    assert f"| UME | rule | {chosen['UME']['rule']} |" in rows[0]
    assert f"| UMT (linear) | weight | {chosen['UMT (linear)']['weight']:g} |" in rows[1]


def test_each_swept_field_has_its_own_sweep_and_the_rate_is_named():
    trials = [
        Trial(field="learning_rate", value=0.1, validation=0.5),
        Trial(field="learning_rate", value=0.4, validation=0.7),
        Trial(field="weight", value=1.0, validation=0.8),
        Trial(field="weight", value=0.4, validation=0.6),  # the chosen rate, but another field
        Trial(field="weight", value=9.0, validation=0.0),
    ]
    both = {"learning_rate": 0.4, "weight": 1.0}
    study = Study(
        [
            entry("watch", "umt", [0.7, 0.8], chosen=both, trials=trials),
            entry(
                *("watch", "pmr", [0.7, 0.8]),
                chosen=both,
                trials=trials[2:],
                learning_rate_of="watch-joint-linear",
            ),
            entry("watch", "joint", [0.7, 0.8]),
        ]
    )
    shown = [line.strip("| ").split(" | ") for line in tables.sweeps(study, "watch").splitlines()]
    assert shown[2:] == [
        ["UMT (linear)", "learning rate", "0.1", "50.0"],
        ["UMT (linear)", "learning rate", "0.4", "70.0", "chosen"],
        ["UMT (linear)", "weight", "1", "80.0", "chosen"],
        ["UMT (linear)", "weight", "0.4", "60.0"],
        ["UMT (linear)", "weight", "9", "diverged"],
        ["PMR (linear)", "learning rate", "0.4", NONE, "as for joint (linear)"],
        ["PMR (linear)", "weight", "1", "80.0", "chosen"],
        ["PMR (linear)", "weight", "0.4", "60.0"],
        ["PMR (linear)", "weight", "9", "diverged"],
    ]
    rows = cells(tables.accuracies(study, study.entries))
    assert rows["UMT (linear)"][4] == "learning rate 0.4, weight 1"
    assert rows["joint (linear)"][4] == "learning rate 0.05"  # of the params file
    found = summaries.saw(study, "watch")
    assert "lie outside: UMT (linear), learning rate 0.4 of 0.1 to 0.4." in found


def test_bold_differences_survive_holms_correction_over_the_table():
    joint = entry("watch", "joint", [0.70, 0.71, 0.72])
    sure = entry("watch", "umt", [0.80, 0.81, 0.82])
    doubtful = entry("watch", "ogm", [0.716, 0.735, 0.754])  # p = 0.04, one of 2 that remain
    none = entry("watch", "pmr", [0.71, 0.70, 0.73])
    study = Study([joint, sure, doubtful, none])
    rows = cells(tables.accuracies(study, study.entries))
    bold = [label for label, row in rows.items() if row[2].startswith("**")]
    assert bold == ["UMT (linear)"]
    assert rows["OGM (linear)"][2].startswith("+2.5 [+0.3")
    note = tables.note(tables.gains(study, study.entries))
    assert "Holm's correction over the 3 differences of this table" in note


def test_a_stale_result_has_an_accuracy_and_no_difference():
    joint, umt = (
        entry("watch", "joint", [0.70, 0.71, 0.72]),
        entry("watch", "umt", [0.8, 0.81, 0.82]),
    )
    for changed, other in ((joint, umt), (umt, joint)):
        study = Study([replace(changed, stale="made by other code"), other])
        rows = cells(tables.accuracies(study, study.entries))
        assert rows["UMT (linear)"][0].startswith("81.0 [")
        assert rows["UMT (linear)"][2] == NONE
        assert tables.note(tables.gains(study, study.entries)) == ""


def test_the_best_single_modality_is_chosen_on_validation():
    rows = [
        entry("watch", "unimodal", [test, test + 0.01], modality=m, validation=held)
        for m, test, held in (("a", 0.9, 0.5), ("b", 0.6, 0.7))
    ]
    assert cells(tables.answer(Study(rows)))["watch"][0].startswith("60.5 [")


def test_reproduced_compares_what_is_on_both_sides(study):
    table = tables.reproduced(study)
    rows = {row.split(" | ")[1]: row for row in table.splitlines() if " | " in row}
    assert " no " in rows["joint (linear)"]  # the published one was changed: not the same bytes
    assert "UMT (linear)" not in rows  # it has not run here
    assert "**2 of 3 experiments" in table  # the two teachers
    assert "not published" in rows["UME (mean)"]
    assert "joint, UMT's budget (linear)" not in rows  # it has not run anywhere


def test_the_same_result_on_both_sides_agrees_to_the_byte(folders, tmp_path):
    copied = tmp_path / "published"
    copied.mkdir()
    for file in folders.local.glob("*.json"):
        (copied / file.name).write_bytes(file.read_bytes())
    table = tables.reproduced(gather(folders.params, copied, folders.local))
    row = next(line for line in table.splitlines() if "joint (linear)" in line)
    assert row.count("yes") == 2


def test_the_verdict_lists_where_a_difference_is_clear(study):
    sentence, family = summaries.verdict(study), summaries.front(study)
    compared = [("synthetic", name, "joint (linear)") for name in ("UME", "UMT (linear)")]
    for key in compared:
        words = f"with linear heads, {key[1].split()[0]} is clearly better on "
        assert (words in sentence) == family.is_clear(key)
        assert (f"{words}synthetic" in sentence) == family.is_better(key)
    if not any(map(family.is_clear, compared)):
        assert "joint training with the same head and UME or UMT (linear), after" in sentence
    assert summaries.verdict(Study([])) == NOTHING


def test_sentences_put_what_speaks_against_the_claim_first(study):
    against, rest = summaries.saw(study, "synthetic").split("**Other findings**")
    gain = comparisons.difference(
        study.result("synthetic", "umt"), study.result("synthetic", "joint")
    )
    pair = "UMT (linear)", "joint (linear)"
    family = Page(study, "synthetic").family
    clear = family.is_clear(pair)
    line = compared("UMT", "joint training", gain, clear, "with linear heads, ")
    assert line in (rest if family.is_better(pair) else against)
    assert "MLP head " in rest


def test_a_study_without_results_has_sentences_and_tables(folders, tmp_path):
    empty = gather(folders.params, tmp_path, None)
    assert "make study" in summaries.saw(empty, "synthetic")
    assert summaries.chance(empty, "synthetic", 0) == ""
    assert "Nothing has run" in tables.answer(empty)
    assert tables.costs(empty, "synthetic") == "Nothing to show here yet."


@pytest.mark.parametrize(("dataset", "folds"), [("watch", True), ("ucf101", False)])
def test_the_uncertainty_of_the_test_split_is_that_of_its_samples(dataset, folds):
    """0.5 of 100 samples has a standard error of 5 points; seeds with folds include it."""
    text = summaries.chance(Study([entry(dataset, "joint", [0.4, 0.6])]), dataset, 0)
    assert "with 100 samples is 5.0 points" in text
    assert ("so the intervals over seeds include it" in text) == folds
    assert ("intervals over seeds do not include it" in text) == (not folds)


def test_stale_published_results_are_shown_with_a_mark_and_counted(folders, tmp_path):
    """Stale results of this machine are not shown."""
    params = tmp_path / "params"
    params.mkdir()
    for file in folders.params.glob("*.yaml"):
        changed = file.read_text().replace("epochs: 6", "epochs: 7")
        (params / file.name).write_text(changed)
    study = gather(params, folders.published, folders.local)
    shown = cells(tables.accuracies(study, study.entries))
    teachers = {"uni-modal (a)", "uni-modal (b)"}
    assert set(shown) == {"joint (linear)", "UMT (linear)"} | teachers  # what is published
    assert all(row[-1] == "published, stale" for row in shown.values())
    assert len(study.stale) == 4
    sentence = summaries.stale(study)
    assert "4 of the 4 results that the book shows are stale" in sentence
    row = cells(tables.answer(study))["synthetic"]
    assert [cell.endswith(" (stale)") for cell in row] == [cell[0].isdigit() for cell in row]
    assert "(made with other params)" in sentence
    mark = "synthetic-{unimodal-a, unimodal-b, joint-linear, umt}.json</code> (stale)"
    source = made_from(study, study.entries)
    assert mark in source or "synthetic-*.json</code> (stale)" in source


def test_current_results_have_no_mark(study):
    assert study.stale == []
    assert summaries.stale(study) == "All 7 results that the book shows are current."
    assert "(stale)" not in tables.answer(study)


def test_a_damaged_published_result_is_left_out_and_named(folders, tmp_path):
    (tmp_path / "synthetic-umt.json").write_text("{")
    study = gather(folders.params, tmp_path, folders.local)
    assert [entry.name for entry in study.damaged] == ["synthetic-umt"]
    assert study.named["synthetic-umt"].result is None
    assert "results file is damaged: `synthetic-umt`" in summaries.stale(study)
    assert summaries.damaged(study.of("synthetic")) in summaries.stale(study)
    assert summaries.damaged(study.of("watch")) == ""


def test_results_outlive_a_change_of_the_code(tmp_path, monkeypatch):
    for file in paths.PARAMS.glob("digit-halves-*.yaml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(results, "code_key", lambda params: "of another day")
    study = gather(tmp_path, paths.PUBLISHED, None)
    shown = cells(tables.accuracies(study, study.entries))
    assert shown["UME (mean)"][-1] == "published, stale"
    mark = "<code>results/digit-halves-*.json</code> (stale)"
    assert mark in made_from(study, study.entries)


def test_hours_are_those_of_the_params_files(tmp_path):
    copied = [paths.PARAMS / f"ucf101-{name}.yaml" for name in ("umt", "ume-mean", "mla")]
    for file in copied:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    study = gather(tmp_path, tmp_path / "none", None)
    rows = cells(tables.hours(study, "ucf101"))
    hours = {f.stem: yaml.safe_load(f.read_text())["resources"]["gpu_hours"] for f in copied}
    assert {row[-1].strip("`"): int(row[0]) for row in rows.values()} == hours
    assert rows["UMT (linear)"][1] == NONE  # its teachers are not among these files
    assert rows["MLA (linear)"][1] == str(hours["ucf101-mla"])
    assert rows["MLA (linear)"][2] == "alpha: 0.1, 1.0, 10.0"
    sentence, compared_method = summaries.hours(study, "ucf101"), hours["ucf101-mla"]
    assert f"an estimated {sum(hours.values())} hours" in sentence
    assert f"every head need {sum(hours.values()) - compared_method} of them" in sentence


def test_a_damaged_local_result_gives_way_to_the_published_one(folders, tmp_path):
    local = tmp_path / "results"
    local.mkdir()
    (local / "synthetic-umt.json").write_text("{")
    entry = gather(folders.params, folders.published, local).find("synthetic", "umt")
    assert entry.origin == "published"


def test_the_hooks_table_lists_every_method():
    rows = cells(tables.where_methods_act())
    assert len(rows) == len(METHODS)
    assert not any(rows["joint"])
    assert rows["UMT"][:4] == ["", "\u25cf", "", "\u25cf"]


def test_a_table_sets_numbers_right_and_words_left():
    assert markdown(["a", "b"], [["x", "+1.0"]]).splitlines()[1] == "| --- | ---: |"


def test_every_data_set_and_method_has_its_page():
    pages = Path(paths.ROOT / "book")
    assert {p.stem for p in (pages / "datasets").glob("*.md")} == set(DATASETS)
    assert {p.stem for p in (pages / "methods").glob("*.md")} == {*METHODS, "index"}
