"""Published accuracies and gains: computed, with their source, beside ours and never mixed."""

from __future__ import annotations

import re

import pytest
import tiny_study

from umt_lib import paths
from umt_lib.study.experiments.comparisons import difference
from umt_lib.study.report import literature
from umt_lib.study.report.format import MINUS, NONE, points

REAL = paths.PUBLISHED / "literature.csv"
HEAD = "dataset,method,counts_as,value,source,note\n"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return tiny_study.make(tmp_path_factory.mktemp("study")).study()


def written(tmp_path, *lines: str):
    path = tmp_path / "literature.csv"
    path.write_text(HEAD + "".join(f"{line}\n" for line in lines))
    return path


def cells(table: str) -> list[list[str]]:
    return [[c.strip() for c in line.strip("| ").split(" | ")] for line in table.splitlines()[2:]]


def test_every_number_has_a_source_and_what_is_missing_is_shown():
    lines = literature.read(REAL)
    assert all(line["source"] for line in lines)
    seed_paper = [line for line in lines if line["source"].startswith("Du et al.")]
    assert seed_paper
    assert not any(line["value"] for line in seed_paper)
    assert literature.table(REAL).count("not obtained |") >= len(seed_paper)


def test_what_a_row_counts_as_is_known_and_said_once_per_source():
    lines = [line for line in literature.read(REAL) if line["counts_as"]]
    assert {line["counts_as"] for line in lines} == {literature.JOINT, *literature.GAINS}
    keys = [(line["counts_as"], line["dataset"], line["source"]) for line in lines]
    assert len(keys) == len(set(keys))


def test_gains_are_of_one_source_and_data_set(tmp_path):
    path = written(
        tmp_path,
        "d,UMT,UMT,70.5,A,",
        "d,joint (concat),joint,68.0,A,",
        "d,joint,joint,60.0,B,",
        "e,joint,joint,50.0,A,",
        "d,OGM,,99.0,A,",
        "d,MMPareto,joint + uni-modal CE,67.0,A,",
        "d,UMT,UMT,80.0,C,",
    )
    assert literature.published(path) == [
        ("UMT", "d", "A", pytest.approx(2.5)),
        ("joint + uni-modal CE", "d", "A", pytest.approx(-1.0)),
    ]


def test_an_accuracy_that_was_not_obtained_is_listed_and_has_no_gain(tmp_path, study):
    path = written(tmp_path, "d,joint,joint,,A,", "d,UME,UME,60.0,A,")
    assert literature.published(path) == [("UME", "d", "A", None)]
    assert not [row for row in cells(literature.gains_table(study, path)) if row[1] == "d"]
    assert "not obtained" in literature.table(path)


def test_the_gains_of_the_real_file_are_those_of_the_issue():
    found = {(g.what, g.dataset, g.source[:7]): g.value for g in literature.published(REAL)}
    for dataset, value in (("Kinetics-Sounds", 3.0), ("CREMA-D", 2.0), ("VGGSound", 3.5)):
        assert found["UMT", dataset, "Balance"] == pytest.approx(value, abs=0.05)
    assert found["UMT", "CREMA-D", "G2D, IC"] == pytest.approx(0.14)
    assert not any(value for (what, _, _), value in found.items() if what == "UME")


def test_ours_and_theirs_are_never_in_one_column(study):
    rows = cells(literature.gains_table(study, REAL))
    assert {row[2] == NONE for row in rows} == {True, False}
    for _, _, here, there, source in rows:
        assert (here == NONE) != (there == NONE)
        assert (source == "this study") == (there == NONE)


def test_our_gains_are_those_of_the_results(study):
    gain = difference(study.result("synthetic", "umt"), study.result("synthetic", "joint"))
    rows = cells(literature.gains_table(study, REAL))
    mine = {row[0]: row[2].strip("*") for row in rows if row[4] == "this study"}
    assert mine["UMT minus joint"] == points(gain)
    assert set(mine) == {"UMT minus joint", "UME minus joint"}  # the third has not run


def test_sentences_count_what_is_known(study, tmp_path):
    umt, ume, ce = literature.sentences(study, REAL).splitlines()
    known = [g.value for g in literature.published(REAL) if g.what == "UMT"]
    known = [value for value in known if value is not None]
    assert f"+{min(known):.1f} to +{max(known):.1f} points" in umt
    assert f"above 0 in {len(known)} of {len(known)} cases" in umt
    assert "No published number of it could be obtained" in ume
    assert "on 0 of 1 data sets" in ume
    assert "has not been measured here yet" in ce
    path = written(tmp_path, "d,joint,joint,60.0,A,", "d,UME,UME,59.0,A,")
    assert f"Published: {MINUS}1.0" in literature.sentences(study, path).splitlines()[1]
    assert re.search(r"No published .*measured here", literature.sentences(study, path))
