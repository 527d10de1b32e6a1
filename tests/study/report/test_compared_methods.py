"""The chapter on compared methods: hand-made accuracies with a known ranking."""

from __future__ import annotations

import json

import pytest

from umt_lib.study.experiments.results import Cost, Measured, Provenance, Result, Score, SeedRecord
from umt_lib.study.pipeline.collection import Entry, Study
from umt_lib.study.report import compared_methods
from umt_lib.study.report.format import NONE
from umt_lib.study.report.writer import Fragments

ENCODERS = {m: {"name": "mlp"} for m in "ab"}


def entry(dataset: str, method: str, accuracies: list[float], validation: float = 0.5, **options):
    """An experiment with these test accuracies, one per seed."""

    def score(value: float) -> Score:
        return Score(accuracy=value, nll=1.0, samples=100)

    seeds = [
        SeedRecord(
            seed=i,
            epoch=1,
            validation=score(validation),
            test=score(value),
            unimodal={},
            probes={},
            curves={},
        )
        for i, value in enumerate(accuracies)
    ]
    name = "-".join([dataset, method, *map(str, options.values())])
    params = {"name": name, "dataset": {"name": dataset}, "encoders": ENCODERS}
    params |= {"head": {"name": "linear"}, "method": {"name": method, **options}}
    cost = Cost(seconds=1.0, samples=1000, trainings=1)
    made = Provenance(
        params="", code="", source="", keys={}, environment={}, cost=cost, seconds=1.0
    )
    measured = Measured(sweep=[], chosen={}, seeds=seeds)
    result = Result(name=name, params=params, measured=measured, provenance=made)
    return Entry(name, params, None, result)


@pytest.fixture
def study() -> Study:
    """OGM is clearly best, PMR clearly worst; UME's product is best on validation."""
    rows = []
    for dataset in ("synthetic", "watch"):
        rows += [
            entry(dataset, "joint", [0.70, 0.71, 0.72]),
            entry(dataset, "ume", [0.90, 0.90, 0.90], validation=0.4, rule="mean"),
            entry(dataset, "ume", [0.73, 0.74, 0.75], validation=0.6, rule="product"),
            entry(dataset, "ogm", [0.80, 0.81, 0.82]),
            entry(dataset, "pmr", [0.60, 0.61, 0.62]),
        ]
    rows.append(entry("synthetic", "agm", [0.99, 0.99, 0.99]))  # on one data set only
    return Study(rows)


def test_umes_rule_is_chosen_on_validation(study):
    simple = compared_methods.simple(study, "watch")
    assert simple["UME"].params["method"]["rule"] == "product"
    assert list(simple) == ["joint", "UME"]  # what was not run is not there


def test_ranks_are_over_methods_that_all_data_sets_have(study):
    found = compared_methods.ranks(study)
    assert list(found) == ["OGM", "UME", "joint", "PMR"]
    assert [value.mean for value in found.values()] == [1, 2, 3, 4]
    assert compared_methods.ranking(found).axes


def test_a_data_set_with_few_methods_leaves_the_ranking_as_it_is(study):
    few = [entry("furniture", "joint", [0.9, 0.9, 0.9]), entry("furniture", "ogm", [0.1] * 3)]
    assert compared_methods.ranks(Study([*study.entries, *few])) == compared_methods.ranks(study)


def test_the_table_has_gain_and_cost(study):
    table = compared_methods.table(study, "watch")
    ogm = next(line for line in table.splitlines() if "81.0 [" in line)
    assert "+10.0 [+10.0" in ogm
    assert "+7.0 [+7.0" in ogm
    assert ogm.rstrip(" |").endswith("2")  # 1,000 samples through two encoders


def test_clear_wins_and_losses_are_counted(study):
    row = next(line for line in compared_methods.counts(study).splitlines() if "watch" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    clear = "1\u00a0better, 1\u00a0worse"
    assert cells == ["watch", "2", clear, NONE, clear, NONE, NONE]
    assert compared_methods.counts(Study([])) == compared_methods.NOTHING


def test_the_sentences_name_the_better_methods(study):
    longer = entry("watch", "joint-longer", [0.79, 0.81, 0.83])  # not clearly worse than OGM
    text = compared_methods.sentences(Study([*study.entries, longer]))
    assert "**Better than UME**: on synthetic OGM, AGM; on watch OGM." in text
    assert "of either length**: none, on no data set." in text
    assert "every simple choice**: none" in text
    longer = entry("watch", "joint-longer", [0.75, 0.76, 0.77])
    text = compared_methods.sentences(Study([*study.entries, longer]))
    assert "of either length**: on watch OGM." in text
    assert compared_methods.sentences(Study([])) == ""


def test_the_counts_name_every_file_they_were_made_from(study, tmp_path):
    compared_methods.write(Fragments(study, tmp_path))
    shown = (tmp_path / "rivals-counts.md").read_text(encoding="utf-8")
    _, source = shown.split("Made from ")
    assert "synthetic-{joint, ume-product, pmr, ogm, agm}.json" in source
    assert "watch-{joint, ume-product, pmr, ogm}.json" in source


def test_released_code_is_not_compared_but_has_a_row_beside_its_paper(study):
    code = entry("watch", "pmr", [0.66, 0.67, 0.68], released=True)
    lonely = entry(
        "watch", "mla", [0.5, 0.5, 0.5], released=True
    )  # its paper's version did not run
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
    assert "as released" not in study.of("watch", "pmr")[0].label


def test_a_steps_cost_is_the_median_over_data_sets(tmp_path):
    ratios = {
        f"{data}-{name}": {"time": time, "least": 1.0, "memory": 1.0}
        for name, times in {"ogm": (1.0, 1.3, 9.0), "joint-linear": (1.0, 1.0, 1.0)}.items()
        for data, time in zip(("synthetic", "watch", "furniture"), times, strict=True)
    }
    file = tmp_path / "method_cost.json"
    file.write_text(json.dumps({"ratios": ratios}))
    assert "| OGM | 1.30 | 1.00 | 1.00 |" in compared_methods.costs(file)
    assert (
        "joint" not in compared_methods.costs(file).lower()
    )  # what all is measured against is no row
