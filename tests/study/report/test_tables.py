"""Tables and sentences state what the results contain."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import tiny_study
import yaml

from umt_lib import paths
from umt_lib.data import DATASETS
from umt_lib.errors import StudyError
from umt_lib.evaluation import intervals
from umt_lib.evaluation.intervals import Interval
from umt_lib.methods import METHODS
from umt_lib.study.experiments import comparisons, results
from umt_lib.study.pipeline.collection import Study, gather
from umt_lib.study.report import summaries, tables
from umt_lib.study.report.findings import compared
from umt_lib.study.report.format import EQUIVALENT, in_words, markdown, percent, points
from umt_lib.study.report.writer import Fragments


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tiny_study.Folders:
    return tiny_study.make(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def study(folders) -> Study:
    return folders.study()


def cells(table: str) -> dict[str, list[str]]:
    """{first cell: the others} of a pipe table."""
    rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in table.splitlines()]
    return {row[0]: row[1:] for row in rows[2:]}


def test_numbers_are_written_in_percent_with_their_interval():
    assert percent(Interval(0.832, 0.81, 0.854, 5)) == "83.2 [81.0,\u00a085.4]"
    assert percent(Interval(0.5, float("-inf"), float("inf"), 1)) == "50.0 (one seed)"
    assert points(Interval(-0.012, -0.03, 0.0001, 5)) == "\u22121.2 [\u22123.0,\u00a00.0]"
    assert points(None) == "\u2013"


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.1, 0.2, "no clear difference between x and y"),
        (-0.1, 0.0, "no clear difference between x and y"),
        (0.01, 0.2, "x is better than y"),
        (-0.3, -0.1, "x is worse than y"),
        (0.001, 0.002, "x is better than y"),  # a small difference, but a clear one
        (-0.01, 0.01, "x and y are equivalent"),
        (-0.01, 0.0101, "no clear difference between x and y"),
        (-0.0101, 0.01, "no clear difference between x and y"),
    ],
)
def test_the_interval_determines_the_words_of_a_comparison(low, high, words):
    """Equivalent only if the whole interval lies within 1 point (TOST)."""
    assert EQUIVALENT == 0.01
    gain = Interval((low + high) / 2, low, high, 5)
    assert in_words("x", "y", gain) == words
    sentence = compared("x", "y", gain)
    assert sentence.lower().startswith(f"**{words}**: ")
    assert ("the interval contains 0" in sentence) == gain.contains_zero
    assert ("\u00b11 point" in sentence) == ("equivalent" in words)


def test_a_comparison_in_words_and_numbers():
    unclear = "**No clear difference between UMT and UME**: +0.3 [\u22120.9,\u00a0+1.5] points"
    found = compared("UMT", "UME", Interval(0.003, -0.009, 0.015, 5))
    assert found == f"{unclear} (the interval contains 0)."
    better = "**With MLP heads, UMT is better than UME**: +2.0 [+1.0,\u00a0+3.0] points."
    assert compared("UMT", "UME", Interval(0.02, 0.01, 0.03, 5), "with MLP heads, ") == better


def test_rows_stand_in_the_order_of_methods_and_say_where_they_ran(study):
    rows = cells(tables.accuracies(study, study.entries))
    assert list(rows) == [
        "uni-modal (a)",
        "uni-modal (b)",
        "UME (mean)",
        "joint (linear)",
        "joint (MLP)",
        "UMT (linear)",
    ]  # joint training of double budget has not run
    assert rows["joint (linear)"][-1] == "this machine"
    assert rows["UMT (linear)"][-1] == "published"


def test_accuracies_are_those_of_the_results_files(study, folders):
    umt = results.load(folders.published / "synthetic-umt.json")
    joint = results.load(folders.local / "synthetic-joint-linear.json")
    row = cells(tables.accuracies(study, study.entries))["UMT (linear)"]
    assert row[0] == percent(intervals.t_interval(umt.accuracy))
    assert row[2] == points(comparisons.difference(umt, joint))
    assert row[1] == str(len(umt.measured.seeds))


def test_the_answer_has_the_numbers_of_the_question_and_states_them_in_words(study):
    row = cells(tables.answer(study))["synthetic"]
    keys = ("joint",), ("umt",), ("joint", "mlp")
    found = [study.result("synthetic", *key) for key in keys]
    assert row[2:5] == [percent(intervals.t_interval(r.accuracy)) for r in found]
    assert row[5] == "not run yet"  # UMT with an MLP head has no params file here
    gain = comparisons.difference(found[1], found[0])
    comparison = f"{in_words('UMT', 'joint training', gain)} ({points(gain)})"
    assert comparison in summaries.answer(study)
    assert "*No clear difference*: the interval contains 0." in summaries.answer(study)


def test_a_sweep_whose_chosen_value_is_at_an_end_is_reported(study):
    findings = summaries.saw(study, "synthetic")
    assert "**Sweeps whose chosen value is at an end of the range**" in findings
    assert "lie outside: UMT (linear), weight" in findings


def test_costs_with_teachers_are_sums(study):
    rows = cells(tables.costs(study, "synthetic"))
    epochs, samples = 6, 80
    assert study.result("synthetic", "joint").provenance.cost.samples == epochs * samples
    assert rows["UMT (linear)"][3] == "4"  # two values of the sweep, two teachers
    assert rows["UME (mean)"][3] == "2"
    longer = tables.encoder_passes(study.find("synthetic", "umt"))
    unimodal = tables.encoder_passes(study.find("synthetic", "unimodal", modality="a"))
    assert longer == 2 * unimodal == 2 * epochs * samples


def test_the_sweep_marks_the_value_that_was_chosen(study):
    umt = study.result("synthetic", "umt").measured
    rows = [row for row in tables.sweeps(study, "synthetic").splitlines() if "chosen" in row]
    assert len(rows) == 1
    assert f"| {umt.chosen['weight']:g} |" in rows[0]


def test_laziness_is_paired_with_the_uni_modal_encoder(study):
    rows = cells(tables.lazy(study, "synthetic"))
    assert rows["UME (mean)"][:2] == ["same encoder"] * 2
    joint, unimodal = study.result("synthetic", "joint"), study.unimodal("synthetic")["a"]
    pairs = zip(joint.measured.seeds, unimodal.measured.seeds, strict=True)
    gaps = [mine.probes["a"] - theirs.probes["a"] for mine, theirs in pairs]
    assert rows["joint (linear)"][0] == points(intervals.t_interval(gaps))


def test_reproduced_compares_what_is_on_both_sides(study):
    table = tables.reproduced(study)
    rows = {row.split(" | ")[1]: row for row in table.splitlines()}
    assert " no " in rows["joint (linear)"]  # the published one was changed: not the same bytes
    assert "not run here" in rows["UMT (linear)"]
    assert "not published" in rows["uni-modal (a)"]
    assert "joint, double budget (linear)" not in rows  # it has not run anywhere


def test_the_same_result_on_both_sides_agrees_to_the_byte(folders, tmp_path):
    copied = tmp_path / "published"
    copied.mkdir()
    for file in folders.local.glob("*.json"):
        (copied / file.name).write_bytes(file.read_bytes())
    table = tables.reproduced(gather(folders.params, copied, folders.local))
    row = next(line for line in table.splitlines() if "joint (linear)" in line)
    assert row.count("yes") == 2


def test_the_verdict_lists_where_a_difference_is_clear(study):
    sentence = summaries.verdict(study)
    gain = comparisons.difference(
        study.result("synthetic", "umt"), study.result("synthetic", "joint")
    )
    part = sentence.split("; ")[1]
    assert part.startswith("UMT is clearly better on ")
    assert ("better on synthetic" in part) == (gain.low > 0)
    assert ("worse on synthetic" in part) == (gain.high < 0)
    assert "no clear difference" in sentence


def test_sentences_put_what_speaks_against_the_claim_first(study):
    against, rest = summaries.saw(study, "synthetic").split("**Other findings**")
    gain = comparisons.difference(
        study.result("synthetic", "umt"), study.result("synthetic", "joint")
    )
    line = compared("UMT", "joint training", gain, "with linear heads, ")
    assert line in (rest if gain.low > 0 else against)
    assert "MLP head " in rest


def test_a_study_without_results_has_sentences_and_tables(folders, tmp_path):
    empty = gather(folders.params, tmp_path, None)
    assert "make study" in summaries.saw(empty, "synthetic")
    assert summaries.chance(empty, "synthetic", 0) == ""
    assert "Nothing has run" in tables.answer(empty)
    assert tables.costs(empty, "synthetic") == "Nothing to show here yet."


def test_stale_published_results_are_shown_with_a_mark_and_counted(folders, tmp_path):
    """Stale results of this machine are not shown."""
    params = tmp_path / "params"
    params.mkdir()
    for file in folders.params.glob("*.yaml"):
        changed = file.read_text().replace("epochs: 6", "epochs: 7")
        (params / file.name).write_text(changed)
    study = gather(params, folders.published, folders.local)
    shown = cells(tables.accuracies(study, study.entries))
    assert set(shown) == {"joint (linear)", "UMT (linear)"}  # those that are published
    assert all(row[-1] == "published, stale" for row in shown.values())
    assert [e.name for e in study.stale] == ["synthetic-joint-linear", "synthetic-umt"]
    sentence = summaries.stale(study)
    assert "2 of the 2 results that this book shows are stale" in sentence
    assert "2 made with other params" in sentence
    mark = "synthetic-{joint-linear, umt}.json</code> (stale)"
    source = Fragments(study, tmp_path / "generated").made_from(study.entries)
    assert mark in source or "synthetic-*.json</code> (stale)" in source


def test_current_results_have_no_mark(study):
    assert study.stale == []
    assert summaries.stale(study) == "All 6 results that this book shows are current."


def test_a_damaged_published_result_is_refused(folders, tmp_path):
    (tmp_path / "synthetic-umt.json").write_text("{")
    with pytest.raises(StudyError, match=r"synthetic-umt\.json: not a complete results file"):
        gather(folders.params, tmp_path, None)


def test_results_outlive_a_change_of_the_code(tmp_path, monkeypatch):
    for file in paths.PARAMS.glob("furniture224-*.yaml"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(results, "code_key", lambda params: "of another day")
    study = gather(tmp_path, paths.PUBLISHED, None)
    shown = cells(tables.accuracies(study, study.entries))
    assert shown["UME (mean)"][-1] == "published, stale"
    mark = "<code>results/furniture224-*.json</code> (stale)"
    assert mark in Fragments(study, tmp_path / "generated").made_from(study.entries)


def test_hours_are_those_of_the_params_files(tmp_path):
    copied = [paths.PARAMS / f"ucf101-{name}.yaml" for name in ("umt", "ume-mean", "mla")]
    for file in copied:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    study = gather(tmp_path, tmp_path / "none", None)
    rows = cells(tables.hours(study, "ucf101"))
    hours = {f.stem: yaml.safe_load(f.read_text())["resources"]["gpu_hours"] for f in copied}
    assert {row[-1].strip("`"): int(row[0]) for row in rows.values()} == hours
    assert rows["MLA (linear)"][1] == "alpha: 0.1, 1.0, 10.0"
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
    assert not any(rows["[joint](/methods/joint.md)"])
    assert rows["[UMT](/methods/umt.md)"][:4] == ["", "\u25cf", "", "\u25cf"]


def test_literature_has_a_source_for_every_number_and_shows_what_is_missing():
    path = paths.PUBLISHED / "literature.csv"
    with path.open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert all(line["source"] for line in lines)
    seed_paper = [line for line in lines if line["source"].startswith("Du et al.")]
    assert seed_paper
    assert not any(line["value"] for line in seed_paper)
    assert tables.literature(path).count("not obtained |") >= len(seed_paper)


def test_a_table_sets_numbers_right_and_words_left():
    assert markdown(["a", "b"], [["x", "+1.0"]]).splitlines()[1] == "| --- | ---: |"


def test_every_data_set_and_method_has_its_page():
    pages = Path(paths.ROOT / "book")
    assert {p.stem for p in (pages / "datasets").glob("*.md")} == set(DATASETS)
    assert {p.stem for p in (pages / "methods").glob("*.md")} == {*METHODS, "index"}
