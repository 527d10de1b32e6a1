"""Labels that the report looks up: each is one of a params file, and any other is refused."""

from __future__ import annotations

import pytest
from entries import entry, ume
from maps import cell, place, world

from umt_lib.errors import StudyError
from umt_lib.paths import PARAMS
from umt_lib.study.analyses.regime_map.strategies import STRATEGIES
from umt_lib.study.experiments.params import read
from umt_lib.study.pipeline.collection import Entry, Study
from umt_lib.study.report import choices, findings, gains, in_short, pooling, summaries


@pytest.fixture(scope="module")
def labels() -> set[str]:
    """The labels of all params files of one data set."""
    files = PARAMS.glob("watch-*.yaml")
    return {Entry(file.stem, read(file), None, None).label for file in files}


def test_every_label_is_one_of_a_params_file(labels):
    looked_up = {label for pair in (*findings.PAIRS, *summaries.FRONT) for label in pair}
    looked_up |= gains.labels() | {*summaries.STRATEGIES, *summaries.LAZY, *findings.LAZY}
    assert looked_up <= choices.LABELS <= labels
    assert {*choices.ANSWERED, *choices.ANY_JOINT, *choices.SIMPLE} <= choices.LABELS


def test_a_strategy_has_one_label_for_each_head():
    for linear, found in choices.BY_HEAD.items():
        assert list(found) == list(choices.HEADS)
        assert found["linear"] == linear
        if linear != choices.UME:
            assert found["MLP"] == linear.replace("(linear)", "(MLP)")


def test_the_maps_have_the_same_names():
    shared = choices.UME, choices.JOINT, choices.JOINT_MLP, choices.UMT, choices.UMT_MLP
    assert {*shared} <= {*STRATEGIES}


@pytest.mark.parametrize("look_up", [pooling.gain, pooling.lazy])
def test_a_label_without_params_file_is_refused(look_up):
    study = Study([entry("watch", "joint", [0.7, 0.71]), ume("watch", [0.8, 0.81])])
    with pytest.raises(StudyError, match=r"no params file has the label 'UMT \(liner\)'.*UMT"):
        look_up(study, "UMT (liner)", choices.JOINT)
    assert look_up(study, "UMT (linear)", choices.JOINT) is None  # has no result here


def test_a_label_of_the_study_is_no_error():
    rows = [entry("watch", method, [0.7, 0.71]) for method in ("joint", "ogm")]
    assert pooling.gain(Study(rows), "OGM (linear)", choices.JOINT) is not None


def test_a_comparison_that_is_not_in_the_family_is_refused():
    page = findings.Page(Study([]), "watch")
    assert page.gain(choices.UMT, choices.JOINT) is None
    with pytest.raises(KeyError, match="not in PAIRS"):
        page.gain(choices.JOINT, choices.UMT)


def test_a_strategy_that_only_maps_have_is_not_compared_on_real_data(monkeypatch):
    best = {"frozen (MLP)": 0.9}
    cells = [cell(place("synthetic", paired=p), best, best) for p in (0.0, 1.0)]
    monkeypatch.setattr(in_short, "maps", lambda _: [world("synthetic", cells)])
    lines = in_short.sentences(Study([ume("watch", [0.8, 0.81])])).splitlines()
    assert any("frozen (MLP) loses least" in line for line in lines)
    assert not any("On real data, its test accuracy" in line for line in lines)
