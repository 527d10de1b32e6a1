"""The table of all results: gains, costs and laziness of hand-made experiments."""

from __future__ import annotations

import pytest
from entries import entry, ume

from umt_lib.methods import METHODS
from umt_lib.study.pipeline.collection import STALE, Entry, Study
from umt_lib.study.report import results_page
from umt_lib.study.report.cost_figure import averages, cost_against_gain
from umt_lib.study.report.format import NOTHING

JOINT = "minus joint (linear)"


def at(*accuracies: float) -> list[float]:
    return [*accuracies, accuracies[-1] + 0.01, accuracies[-1] + 0.02]


@pytest.fixture
def study() -> Study:
    return Study(
        [
            entry("watch", "unimodal", at(0.6), modality="a", probes={"a": 0.9}),
            entry("watch", "joint", at(0.7), probes={"a": 0.8, "b": 0.1}),
            ume("watch", at(0.73)),
            entry("watch", "ogm", at(0.8)),
            entry("synthetic", "ogm", at(0.8)),
        ]
    )


def rows(study: Study):
    return results_page.summary(study).set_index("experiment")


def test_a_row_has_gains_cost_and_laziness(study):
    found = rows(study)
    ogm = found.loc["watch-ogm-linear"]
    assert (ogm[JOINT], ogm["minus UME"]) == (10.0, 7.0)
    assert ogm["passes, thousands"] == 2  # 1,000 samples through two encoders
    assert found.loc["watch-joint-linear"]["laziest encoder"] == -10.0  # b has no reference
    assert found.loc["synthetic-ogm-linear"].isna()[JOINT]  # joint training has not run there


@pytest.mark.parametrize("method", [n for n, m in METHODS.items() if m.needs_teachers])
def test_teachers_count_in_the_cost(study, method):
    teachers = {m: f"watch-{m}" for m in "ab"}
    alone = [entry("watch", "unimodal", at(0.6), modality=m, name=f"watch-{m}") for m in "ab"]
    taught = entry("watch", method, at(0.8), teachers=teachers)
    own = rows(Study([taught.__class__(taught.name, {**taught.params, "teachers": {}}, None,
                                       taught.result)]))  # fmt: skip
    both = rows(Study([*alone, taught]))
    cost = "passes, thousands"
    assert both.loc[taught.name][cost] == own.loc[taught.name][cost] + 2  # one of each teacher
    missing = rows(Study([alone[0], taught]))
    assert missing.isna().loc[taught.name][cost]  # not the half that is known


def test_cost_and_gain_are_relative_to_joint_training(study):
    twice = entry("watch", "pmr", at(0.65), samples=2000)
    table = averages(results_page.summary(Study([*study.entries, twice])), ["watch"])
    assert table.loc["PMR (linear)", "cost"] == 2
    assert table.loc["PMR (linear)", "gain"] == pytest.approx(-5)
    assert table.loc["joint (linear)", ["cost", "gain"]].tolist() == [1, 0]
    assert "uni-modal (a)" not in table.index
    (ax,) = cost_against_gain(table, ("joint (linear)",)).axes
    named = {text.get_text() for text in ax.texts}
    assert {"joint (linear)", "PMR (linear)", "OGM (linear)"} <= named


def test_only_a_method_that_ran_on_all_data_sets_has_a_dot(study):
    more = [entry("furniture", name, at(0.6 + 0.1 * i)) for i, name in enumerate(("joint", "ogm"))]
    rows = results_page.summary(Study([*study.entries, *more]))
    table = averages(rows, ["watch", "furniture"])
    assert "UME" not in table.index  # on one of two
    assert table.loc["OGM (linear)", "gain"] == 10
    again = averages(rows.assign(run=STALE), ["watch", "furniture"])
    assert again.empty


def test_a_stale_result_has_an_accuracy_and_no_difference(study):
    ogm = entry("watch", "ogm", at(0.8), name="watch-ogm-old", probes={"a": 0.5})
    stale = Entry(ogm.name, ogm.params, None, ogm.result, "made with other params")
    found = rows(Study([*study.entries, stale])).loc["watch-ogm-old"]
    assert found["accuracy"] > 80
    assert found.isna()[[JOINT, "minus UME", "laziest encoder"]].all()


def test_without_results_there_is_a_sentence_and_no_table(monkeypatch):
    monkeypatch.setattr(results_page, "study", lambda: Study([]))
    assert results_page.counted() == NOTHING
    assert results_page.explore() is None
    assert results_page.cost_against_accuracy() == NOTHING
    one = Study([entry("watch", "joint", at(0.7))])
    monkeypatch.setattr(results_page, "study", lambda: one)
    assert results_page.cost_against_accuracy() == NOTHING  # there is no compared method
