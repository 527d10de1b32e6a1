"""Probes of released encoders on made-up features whose answers are known."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from umt_lib.data import ave_features as data
from umt_lib.data.ave_features import Released
from umt_lib.errors import StudyError
from umt_lib.evaluation import residual
from umt_lib.evaluation.bootstrap import within_classes
from umt_lib.study.analyses import released_encoders as analysis
from umt_lib.study.report import figures
from umt_lib.study.report import released_encoders_text as text

CLASSES, EACH, WIDTH = 3, 14, 5
STRENGTH = {"joint": 0.4, "UMT": 4.0, "UME": 4.0}  # of the classes in visual features
SHORTER = {"UMT": 1, "UME": 2}  # clips at the end that a method lacks


def made_up() -> dict[str, Released]:
    """Good audio features of all methods, visual ones that are weak after joint training.

    All encoders see the same clips: their features share what is particular to a clip. Those of
    UMT are those of UME with noise; those of joint training are rotated.
    """
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(CLASSES), EACH)
    clips = {m: rng.standard_normal((len(y), WIDTH)) for m in data.MODALITIES}
    centres = {m: np.eye(CLASSES, WIDTH)[y] for m in data.MODALITIES}
    found = {}
    for method, visual in STRENGTH.items():
        features = {}
        for m in data.MODALITIES:
            turn = np.eye(WIDTH)
            if method == "joint":
                turn = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
            x = clips[m] + (4.0 if m == "audio" else visual) * centres[m]
            x = x @ turn + 0.1 * rng.standard_normal(x.shape)
            features[m] = x[: len(y) - SHORTER.get(method, 0)]
        found[method] = Released(features, y[: len(y) - SHORTER.get(method, 0)])
    return found


def swapped(part: Released, rows: tuple[int, int]) -> Released:
    """The same clips, two of them exchanged, with their labels."""
    order = np.arange(len(part.y))
    order[list(rows)] = order[list(rows[::-1])]
    return Released({m: x[order] for m, x in part.features.items()}, part.y[order])


@pytest.fixture(scope="module")
def measured() -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "load", made_up)
        patch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", 1)
        patch.setattr(residual, "STEPS", 50)  # no test here depends on what corrections find
        found = analysis.ave_features((0, 1), folds=4, guide_folds=3)
    return json.loads(json.dumps(found))


def mean(measured: dict, method: str, name: str) -> float:
    return float(np.mean(measured["methods"][method]["probes"][name]))


def test_a_probe_sees_its_own_modality(measured):
    for method in STRENGTH:
        assert mean(measured, method, "audio") > 0.9
        assert mean(measured, method, analysis.BOTH) > 0.9
    assert mean(measured, "joint", "visual") < 0.65 < 0.9 < mean(measured, "UME", "visual")


def test_all_methods_are_probed_on_the_same_clips_and_folds(measured, monkeypatch):
    assert measured["clips"] == CLASSES * EACH - max(SHORTER.values())
    assert measured["methods"]["joint"]["clips"] == CLASSES * EACH
    assert (measured["smallest"], measured["largest"]) == (EACH - 2, EACH)
    twice = {name: made_up()["joint"] for name in ("joint", "UME")}
    monkeypatch.setattr(data, "load", lambda: twice)
    monkeypatch.setattr(analysis, "recommend", lambda *_, **__: Guide())
    monkeypatch.setattr(analysis, "PERMUTATIONS", 3)
    first, second = analysis.ave_features((0, 1), folds=4)["methods"].values()
    assert first["probes"] == second["probes"]
    assert len(first["probes"]["audio"]) == 2 * 4
    assert first["probes"]["audio"] != first["probes"]["visual"]


def test_a_probe_is_trained_on_the_larger_part_and_tested_on_the_rest(monkeypatch):
    cuts = []

    def probe(x, y, train, test):
        cuts.append((set(train.tolist()), set(test.tolist())))
        return 0.5

    monkeypatch.setattr(data, "load", made_up)
    monkeypatch.setattr(analysis, "recommend", lambda *_, **__: Guide())
    monkeypatch.setattr(analysis, "PERMUTATIONS", 3)
    monkeypatch.setattr(analysis, "probe", probe)
    found = analysis.ave_features((0,), folds=4)
    assert len(cuts) == len(found["methods"]) * (2 + 1) * 4
    for train, test in cuts:
        assert len(train | test) == found["clips"] == len(train) + len(test)
        assert len(train) > 2 * len(test)


class Guide:
    def numbers(self):
        return {"verdict": "UME"}


def test_a_seed_makes_other_folds_and_the_result_repeats(monkeypatch):
    some = {name: part for name, part in made_up().items() if name != "UMT"}
    monkeypatch.setattr(data, "load", lambda: some)
    monkeypatch.setattr(analysis, "recommend", lambda *_, **__: Guide())
    monkeypatch.setattr(analysis, "PERMUTATIONS", 3)
    first, again, other = (analysis.ave_features((s,), folds=4) for s in (0, 0, 1))
    assert first == again
    assert first["methods"]["joint"]["probes"] != other["methods"]["joint"]["probes"]


def test_the_guide_reads_the_features_of_each_method(measured):
    for method, found in measured["methods"].items():
        assert found["guide"]["data"]["samples"] == measured["clips"], method
        assert "seconds" not in found["guide"]["cost"]
    alone = {
        method: found["guide"]["competitors"]["visual alone"]["accuracy"]["mean"]
        for method, found in measured["methods"].items()
    }
    assert alone["joint"] < 0.65 < 0.9 < alone["UME"]


def test_the_same_clips_agree_within_classes_whatever_the_encoder(measured):
    methods = measured["methods"]
    assert methods["joint"]["agreement"] == {}
    for method in ("UMT", "UME"):
        for given, chance in methods[method]["agreement"].values():
            assert given > 0.6
            assert chance < 0.5


def test_other_labels_are_refused():
    shared = analysis.common(made_up())
    shared["UMT"] = swapped(shared["UMT"], (0, EACH))
    with pytest.raises(StudyError, match=r"row 0 .* is of class 0 in joint and of class 1 in UMT"):
        analysis.aligned(shared)


@pytest.mark.parametrize("which", data.MODALITIES)
def test_clips_in_another_order_within_classes_are_refused(which):
    shared = analysis.common(made_up())
    order = within_classes(shared["UMT"].y, np.random.default_rng(1))
    features = dict(shared["UMT"].features)
    features[which] = features[which][order]
    shared["UMT"] = Released(features, shared["UMT"].y)
    with pytest.raises(StudyError, match=rf"another order in UMT than in joint \({which}: "):
        analysis.aligned(shared)


def test_the_analysis_checks_the_clips(monkeypatch):
    released = made_up()
    released["UME"] = swapped(released["UME"], (0, EACH))
    monkeypatch.setattr(data, "load", lambda: released)
    with pytest.raises(StudyError, match="their rows are not the same clips"):
        analysis.ave_features((0,), folds=4)


def test_coordinates_of_a_student_are_those_of_its_teacher(measured):
    values = {m: found["coordinates"] for m, found in measured["methods"].items()}
    assert min(values["UMT"].values()) > 0.9
    assert max(values["UME"].values()) == pytest.approx(1)
    assert max(abs(v) for v in values["joint"].values()) < 0.6
    x = np.random.default_rng(0).standard_normal((50, 3))
    assert analysis.same_coordinates(x, np.column_stack([x[:, :2], np.ones(50)])) == pytest.approx(
        1
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": (0,), "folds": 13}, "folds is 13, but a class has 12 clips; give 2 to 12"),
        (
            {"seeds": (0,), "guide_folds": 7},
            "guide_folds is 7, but a class has 12 clips; give 2 to",
        ),
    ],
)
def test_impossible_options_are_refused(options, message, monkeypatch):
    monkeypatch.setattr(data, "load", made_up)
    with pytest.raises(StudyError) as told:
        analysis.ave_features(**options)
    assert message in str(told.value)


def test_the_verdict_names_the_lazy_encoder_with_its_number(measured):
    verdict = text.verdict(measured)
    gain = text.differences(measured).get(("UME", "joint", "visual"))
    assert "the visual encoder is lazy" in verdict
    assert f"by +{100 * gain.mean:.1f}" in verdict
    assert "the audio encoder shows no clear laziness" in verdict


def test_the_verdict_turns_with_the_probes(measured):
    turned = json.loads(json.dumps(measured))
    methods = turned["methods"]
    for name in data.MODALITIES:
        a, b = methods["UME"]["probes"], methods["joint"]["probes"]
        a[name], b[name] = b[name], a[name]
    assert "the visual encoder is better than the one after uni-modal training" in text.verdict(
        turned
    )


def test_a_difference_that_does_not_survive_the_correction_is_no_claim(measured):
    weaker = json.loads(json.dumps(measured))
    joint = weaker["methods"]["joint"]["probes"]["visual"]
    gaps = [0.02, 0.06, 0.10, 0.11, 0.12, 0.12, 0.13, 0.20]
    weaker["methods"]["UME"]["probes"]["visual"] = [a + g for a, g in zip(joint, gaps, strict=True)]
    family = text.differences(weaker)
    assert family.get(("UME", "joint", "visual")).low > 0
    assert not family.is_clear(("UME", "joint", "visual"))
    assert "the visual encoder may be lazy" in text.verdict(weaker)
    assert "for 9 differences" in text.verdict(weaker)


def test_differences_are_paired_by_fold_and_corrected_for_their_number(measured):
    family = text.differences(measured)
    assert len(family) == (2 + 1) * 3
    assert family.get(("joint", "UME", "audio")) is None
    assert family.is_better(("UMT", "joint", "visual"))
    assert not family.is_clear(("UMT", "UME", "audio"))
    probes = measured["methods"]
    gap = np.subtract(probes["UMT"]["probes"]["visual"], probes["joint"]["probes"]["visual"])
    assert family.get(("UMT", "joint", "visual")).mean == pytest.approx(gap.mean())


def test_tables_and_figure_have_every_method(measured):
    for table, rows in (
        (text.table(measured), 3 * 3),
        (text.verdicts(measured), 3),
        (text.files(measured), 3),
    ):
        lines = table.splitlines()
        assert len(lines) == rows + 2
        assert "[UME](/methods/ume.md)" in lines[-1]
    figure = figures.dots(text.panels(measured), "accuracy (%)")
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "audio",
        "visual",
        "audio and visual",
    ]
    assert f"of {len(text.differences(measured))} differences survive" in text.sentences(measured)
