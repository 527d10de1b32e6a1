"""What cells of pages about analyses show, by the number of analyses with a result."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from umt_lib.errors import StudyError
from umt_lib.study.pipeline.collection import AnalysisEntry, Study
from umt_lib.study.report import analysis_pages
from umt_lib.study.report.analysis_pages import MISSING, Cells
from umt_lib.study.report.shown import Text


@Cells("theory")
def of_one(found, source):
    return Text(found["seeds"])


@Cells("theory", list)
def of_all(measured, source):
    return Text([found["seeds"] for found in measured])


@pytest.fixture
def results(monkeypatch):
    """Sets the numbers of seeds of the analyses that have a result."""

    def choose(*seeds: int) -> None:
        entries = [
            AnalysisEntry(
                f"theory-{n}",
                {"analysis": {"name": "theory"}},
                None,
                SimpleNamespace(measured={"seeds": n}),
            )
            for n in seeds
        ]
        monkeypatch.setattr(analysis_pages, "study", lambda: Study([], entries))

    return choose


def test_a_cell_gets_what_was_measured_by_one_analysis_or_by_all(results):
    results(3)
    assert (of_one(), of_all()) == ("3", "[3]")
    results(3, 5)
    assert of_all() == "[3, 5]"


def test_without_a_result_a_cell_says_so(results):
    results()
    assert of_one() == of_all() == MISSING


def test_of_several_analyses_a_page_about_one_shows_none_but_names_them(results):
    results(3, 5)
    with pytest.raises(StudyError, match=r"analyses: theory-3, theory-5 are all analyses 'theory'"):
        of_one()


def test_diagnostics_have_a_row_for_each_head_and_modality(monkeypatch):
    values = {
        "EMAP gap": [0.1, 0.1],
        "permutation of a": [0.2, 0.2],
        "utilisation of a": [0.3, 0.3],
        "permutation of b": [0.4, 0.4],
        "utilisation of b": [0.5, 0.5],
    }
    found = SimpleNamespace(measured={"dataset": "tiny", "heads": {"mlp": values}})
    entry = AnalysisEntry("diagnosis-tiny", {"analysis": {"name": "diagnosis"}}, None, found)
    monkeypatch.setattr(analysis_pages, "study", lambda: Study([], [entry]))
    rows = [
        [c.strip() for c in r.split("|")[1:-1]] for r in analysis_pages.diagnosis().splitlines()
    ]
    first, second = rows[2:4]
    assert [cell.split(" [")[0] for cell in first] == [
        "tiny",
        "mlp",
        "+10.0",
        "a",
        "+20.0",
        "+30.0",
    ]
    assert [cell.split(" [")[0] for cell in second] == ["tiny", "mlp", "", "b", "+40.0", "+50.0"]


def test_sentences_are_a_paragraph_and_a_table_has_its_source(results):
    cells = Cells("theory")
    results(3)
    source = '<p class="source">Made from <code>results/analyses/theory-3.json</code>.</p>'
    assert cells.text(lambda found: ["One.", "Two."])() == "One. Two."
    assert cells.text(lambda found, name: f"{name}: {found['seeds']}")("n") == "n: 3"
    assert cells.table(lambda found, name: f"| {name} |")("n") == f"| n |\n\n{source}"
    results()
    assert cells.text(str)() == cells.table(str)() == cells.figure(str, "", "")() == MISSING
