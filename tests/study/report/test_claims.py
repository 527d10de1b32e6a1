"""Claims and pooled differences, from hand-made results whose right verdict is known."""

from __future__ import annotations

import inspect
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from entries import entry, ume
from maps import cell, place, world

from umt_lib.data import DATASETS
from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.guide_check.rules import OWN_SIGN
from umt_lib.study.pipeline.collection import AnalysisEntry, Study
from umt_lib.study.report import claims, gains, laziness_figures, pooling
from umt_lib.study.report.format import MINUS

REAL = ("digit-halves", "watch", "furniture", "av-digits")


def at(value: float) -> list[float]:
    return [value, value + 0.01, value + 0.02]


def alone(dataset: str, probe: float = 0.6) -> list:
    return [
        entry(dataset, "unimodal", at(0.6), modality=m, name=f"{dataset}-{m}", probes={m: probe})
        for m in "ab"
    ]


def on(dataset: str, joint: float, umt: float, lazy: float = 0.1) -> list:
    """Uni-modal models, joint training with lazy encoders, UMT with the uni-modal features."""
    probes = {"joint": 0.6 - lazy, "umt": 0.6}
    values = {"joint": joint, "umt": umt}
    rows = [entry(dataset, m, at(values[m]), probes=dict.fromkeys("ab", probes[m])) for m in values]
    return [*alone(dataset), *rows, ume(dataset, at(umt))]


def found(study: Study) -> dict[str, claims.Claim]:
    return {claim.text.split(":")[0].rstrip("."): claim for claim in claims.claims(study)}


def test_each_data_set_counts_once_whatever_its_number_of_seeds():
    study = Study([*on("watch", 0.7, 0.8), *on("furniture", 0.7, 0.72), *on("psb", 0.7, 0.76)])
    over = pooling.gain(study, "UMT (linear)", "joint (linear)").over
    assert over == pytest.approx(t_interval([0.1, 0.02, 0.06]))


def test_data_sets_of_one_source_are_one_unit_and_generated_ones_do_not_count():
    rows = [*on("utd-mhad", 0.7, 0.8), *on("utd-mhad3", 0.7, 0.74), *on("synthetic", 0.1, 0.9)]
    both = pooling.gain(Study([*rows, *on("watch", 0.7, 0.71)]), "UMT (linear)", "joint (linear)")
    assert both.by_unit == pytest.approx({"utd-mhad": 0.07, "watch": 0.01})
    assert set(both.by_dataset) == {"utd-mhad", "utd-mhad3", "watch"}


def test_of_all_data_sets_those_with_drawn_labels_do_not_count_and_shared_samples_count_once():
    """A data set whose labels are drawn has a ``data_seed``."""
    rows = [entry(d, m, at(v)) for d in DATASETS for m, v in (("joint", 0.7), ("umt", 0.8))]
    every = pooling.gain(Study(rows), "UMT (linear)", "joint (linear)")
    drawn = {d for d, load in DATASETS.items() if "data_seed" in inspect.signature(load).parameters}
    assert len(drawn) == 5
    assert set(every.by_dataset) == set(DATASETS) - drawn
    shared = {  # the other one of each pair has the same people, models or images
        ("av-digits", "digit-halves"),
        ("utd-mhad3", "utd-mhad"),
        ("furniture224", "furniture"),
        ("psb224", "psb"),
    }
    assert set(every.by_unit) == set(every.by_dataset) - {one for one, _ in shared}
    assert {other for _, other in shared} < set(every.by_unit)


def test_laziness_is_paired_over_the_seeds_that_both_have():
    """A probe is worth 10 points more from seed to seed, and 10 less after joint training."""
    unimodal, joint = alone("watch"), entry("watch", "joint", at(0.7))
    for record in joint.result.measured.seeds:
        record.seed += 1
    for one, lost in ((unimodal[0], 0.0), (unimodal[1], 0.0), (joint, 0.1)):
        for record in one.result.measured.seeds:
            record.probes = dict.fromkeys("ab", 0.5 + 0.1 * record.seed - lost)
    found = pooling.lazy(Study([*unimodal, joint]), "joint (linear)")
    assert found.by_dataset["watch"].n == 2
    assert found.by_unit == pytest.approx({"watch": -0.1})


def test_a_stale_result_is_not_pooled():
    rows = on("watch", 0.7, 0.8)
    assert pooling.gain(Study(rows), "UMT (linear)", "joint (linear)") is not None
    old = [replace(e, stale="made by other code") if e.method == "umt" else e for e in rows]
    assert pooling.gain(Study(old), "UMT (linear)", "joint (linear)") is None
    assert pooling.lazy(Study(old), "UMT (linear)") is None
    assert pooling.lazy(Study(old), "joint (linear)") is not None


def test_laziness_is_the_mean_over_encoders_and_recovery_is_against_joint_training():
    study = Study([*on("watch", 0.7, 0.8, lazy=0.1), *on("psb", 0.7, 0.8, lazy=0.3)])
    assert pooling.lazy(study, "joint (linear)").by_unit == pytest.approx(
        {"watch": -0.1, "psb": -0.3}
    )
    recovered = pooling.lazy(study, "UMT (linear)", "joint (linear)")
    assert recovered.by_unit == pytest.approx({"watch": 0.1, "psb": 0.3})


def test_verdicts_follow_from_the_results():
    by = dict(zip(REAL, (0.05, 0.06, 0.04, 0.05), strict=True))
    rows = [e for d, gain in by.items() for e in on(d, 0.7, 0.7 + gain, lazy=gain)]
    by_text = found(Study(rows))
    assert by_text["Joint training leaves encoders lazy"].verdict == "supported"
    assert by_text["UMT recovers the uni-modal features"].verdict == "supported"
    assert by_text["UMT generalises better than joint training"].verdict == "supported"
    assert "+5.0" in by_text["UMT generalises better than joint training"].number
    rows = [e for d, gain in by.items() for e in on(d, 0.7, 0.7 - gain, lazy=-gain)]
    by_text = found(Study(rows))
    assert by_text["Joint training leaves encoders lazy"].verdict == "not supported"
    assert by_text["UMT generalises better than joint training"].verdict == "not supported"


def test_nothing_is_decided_by_two_data_sets_or_without_results():
    two = Study([*on("watch", 0.7, 0.8), *on("psb", 0.7, 0.8)])
    for study in (two, Study([])):
        *verdicts, papers = (claim.verdict for claim in claims.claims(study))
        assert set(verdicts) == {"undecided"}
        assert papers == "not testable here"


def test_laziness_is_correlated_with_the_gain_of_ume_over_data_sets():
    rng = np.random.default_rng(0)
    x = rng.normal(size=12)
    found = claims.rank_correlation(x, np.exp(x))
    assert found.mean == found.low == pytest.approx(1)
    other = claims.rank_correlation(x, rng.normal(size=12))
    assert other.low < 0 < other.high


def test_laziness_and_gain_have_a_row_for_each_data_set_and_a_dot_in_the_figure():
    rows = [*on("utd-mhad", 0.7, 0.8, lazy=0.2), *on("utd-mhad3", 0.7, 0.74, lazy=0.1)]
    table = claims.lost_and_gained(Study(rows))
    assert table["dataset"].tolist() == ["utd-mhad", "utd-mhad3"]
    assert table["unit"].tolist() == ["utd-mhad", "utd-mhad"]
    assert table["lost"].tolist() == pytest.approx([-0.2, -0.1])
    assert table["gained"].tolist() == pytest.approx([0.1, 0.04])
    (ax,) = laziness_figures.against_gain(table).axes
    dots = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert np.array(dots) == pytest.approx(np.array([[-20, 10], [-10, 4]]))
    assert claims.lost_and_gained(Study([])).empty


def test_laziness_hurts_if_lazier_data_sets_gain_more_and_not_if_they_gain_less():
    sizes = dict(zip((*REAL, "psb", "youtube8m"), (0.02, 0.04, 0.06, 0.08, 0.1, 0.12), strict=True))
    for sign, verdict in ((1, "supported"), (-1, "not supported")):
        rows = [e for d, v in sizes.items() for e in on(d, 0.7, 0.7 + v, lazy=sign * v)]
        assert claims.laziness_hurts(Study(rows)).verdict == verdict


@pytest.mark.parametrize(("umt", "verdict"), [(0.80, "supported"), (0.70, "not supported")])
def test_umt_is_compared_with_the_best_method_on_validation(umt, verdict):
    methods = {"ogm": 0.9, "ogm-ge": 0.1, "agm": 0.8, "pmr": 0.95}  # on the test split
    rows = []
    for dataset, shift in zip(REAL, (0.0, 0.002, 0.004, 0.001), strict=True):
        rows += [
            entry(dataset, m, at(value), validation=0.6 if m == "agm" else 0.5)
            for m, value in methods.items()
        ]
        rows += [entry(dataset, "umt", at(umt + shift))]
    claim = found(Study(rows))["UMT is comparable to more complex methods"]
    assert claim.verdict == verdict
    assert claim.datasets == REAL


@pytest.mark.parametrize(("chosen", "verdict"), [("mlp", "not supported"), ("linear", "supported")])
def test_the_head_of_umt_is_chosen_on_validation_and_not_on_test(chosen, verdict):
    """On the test split the linear head is better, than the methods too, and the MLP head worse."""
    rows = []
    for dataset, shift in zip(REAL, (0.0, 0.002, 0.004, 0.001), strict=True):
        rows += [entry(dataset, m, at(0.8)) for m in ("ogm", "agm", "pmr")]
        rows += [
            entry(dataset, "umt", at(v + shift), head, validation=0.6 if head == chosen else 0.5)
            for head, v in (("linear", 0.9), ("mlp", 0.7))
        ]
    claim = found(Study(rows))["UMT is comparable to more complex methods"]
    assert claim.verdict == verdict


def test_the_papers_data_decides_once_all_of_it_is_measured_and_nearest_data_until_then():
    near = [*on("youtube8m", 0.7, 0.75), *on("psb", 0.7, 0.72)]
    claim = claims.claims(Study(near))[-1]
    assert claim.verdict == "not testable here"
    assert "youtube8m, near vggsound and kinetics400: +5.0" in claim.number
    measured = {"vggsound": 0.03, "kinetics400": 0.04, "ucf101": 0.05, "modelnet40": 0.04}
    rows = [e for d, gain in measured.items() for e in on(d, 0.7, 0.7 + gain)]
    claim = claims.claims(Study([*near, *rows]))[-1]
    assert claim.verdict == "supported"
    assert "near" not in claim.number


def test_the_figure_has_the_gains_of_both_heads_and_their_mean():
    rows = [e for d in REAL for e in on(d, 0.7, 0.75)]
    rows += [entry(d, m, at(v), "mlp") for d in REAL for m, v in (("joint", 0.7), ("umt", 0.71))]
    table = gains.table(Study(rows)).set_index(["head", "strategy", "dataset"])["mean"]
    assert table["linear", "UMT", "watch"] == pytest.approx(0.05)
    assert table["MLP", "UMT", gains.EVERY] == pytest.approx(0.01)
    left, right = gains.figure(Study(rows)).axes
    assert [label.get_text() for label in left.get_yticklabels()] == [gains.EVERY, *REAL]
    assert len(right.lines) > len(REAL)


def test_the_sentence_names_clear_gains_and_whether_strategies_differ():
    rows = [e for d, v in zip(REAL, (0.75, 0.76, 0.74, 0.75), strict=True) for e in on(d, 0.7, v)]
    text = gains.sentence(Study(rows))
    assert "UME **+5.0" in text
    assert "UMT **+5.0" in text
    assert "there is no clear difference" in text
    worse = [
        entry(d, "frozen", at(v), name=f"{d}-frozen")
        for d, v in zip(REAL, (0.60, 0.61, 0.60, 0.605), strict=True)
    ]
    text = gains.sentence(Study([*rows, *worse]))
    assert "UME is better than head on frozen encoders" in text
    assert "no clear difference" not in text
    better = [
        entry(d, "frozen", at(v), name=f"{d}-frozen")
        for d, v in zip(REAL, (0.85, 0.86, 0.85, 0.855), strict=True)
    ]
    assert "UME is worse than head on frozen encoders" in gains.sentence(Study([*rows, *better]))
    assert gains.sentence(Study([])).startswith("Nothing has run yet")


def analysed(name: str, measured: dict) -> AnalysisEntry:
    result = SimpleNamespace(measured=measured, frame=None)
    return AnalysisEntry(name, {"analysis": {"name": name}}, None, result)


def drawn(best: str, useful: bool, gain: float = 0.05) -> Study:
    """A map of six cells in which ``best`` is better on the tuning and the report seeds."""
    cells = []
    for i in range(6):
        record = cell(place("lazy"), {best: 0.8}, {best: 0.7 + gain + 0.002 * i})
        cells.append(record | {"bayes": {"additive": 0.8, "all": 0.9 if useful else 0.8}})
    return Study([], [analysed("map", world("lazy", cells))])


def test_maps_decide_where_paired_features_matter_and_where_there_are_none():
    wins, suffices = "UMT is the best strategy where paired features matter", "UME suffices where"
    useful = {c.text: c for c in claims.claims(drawn("UMT (MLP)", useful=True))}
    assert useful[f"{wins}."].verdict == "supported"
    assert "it is clearly the best in 6 of the 6 in which" in useful[f"{wins}."].number
    other = {c.text: c for c in claims.claims(drawn("joint (MLP)", useful=True))}
    assert other[f"{wins}."].verdict == "not supported"
    for found, sign in ((useful, "+"), (other, MINUS)):  # of UMT (MLP) minus joint (MLP)
        _, _, rest = found[f"{wins}."].number.partition("always joint (MLP) in these ")
        assert rest.partition(": ")[2].startswith(f"{sign}5.")
    for best, verdict in {"UME": "supported", "joint (MLP)": "not supported"}.items():
        found = claims.claims(drawn(best, useful=False))
        (claim,) = (c for c in found if c.text.startswith(suffices))
        assert claim.verdict == verdict


def test_no_cell_is_counted_where_paired_features_add_nothing_or_something():
    found = {c.text: c for c in claims.claims(drawn("UME", useful=False))}
    wins = found["UMT is the best strategy where paired features matter."]
    assert (wins.verdict, wins.number) == ("undecided", "not measured yet")


@pytest.mark.parametrize(
    ("right", "verdict"), [(100, "supported"), (80, "not supported"), (96, "undecided")]
)
def test_the_papers_rule_has_to_be_right_in_most_decided_cells(right, verdict):
    cases = [
        {
            "held_out": True,
            "uni": i / 100,
            "rules": {
                OWN_SIGN: {
                    "right": i < right,
                    "decided": True,
                    "unclear": False,
                    "regret": 0,
                    "best": "UMT" if i < 70 else "UME (mean)",
                }
            },
        }
        for i in range(100)
    ]
    measured = {"dataset": "synthetic", "cases": cases}
    found = claims.claims(Study([], [analysed("guide-on-map", measured)]))
    (claim,) = (c for c in found if "frozen encoders" in c.text)
    assert claim.verdict == verdict
    assert claim.number.endswith("always naming UMT: 70.0%)")


def test_the_lead_of_a_family_compares_what_other_seeds_chose():
    """On the report seeds other strategies are better, of both sides."""
    search = {"UMT (MLP)": 0.8, "joint (MLP)": 0.78}
    test = {"UMT (MLP)": 0.72, "UMT (linear)": 0.9, "joint (MLP)": 0.71, "joint (linear)": 0.95}
    maps = [world("lazy", [cell(place("lazy"), search, test) for _ in range(3)])]
    found = claims._lead(maps, "UMT", np.ones(3, dtype=bool))
    assert (found.mean, found.n) == (pytest.approx(0.01, abs=2e-3), 3)
