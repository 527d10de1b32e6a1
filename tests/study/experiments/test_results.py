"""Results files: read back as written, refused when broken, stale for a stated reason."""

from __future__ import annotations

import copy
import json
import math

import pytest
import yaml

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.experiments import comparisons, results
from umt_lib.study.experiments.experiment import Experiment


@pytest.fixture
def result(params) -> results.Result:
    params |= {"seeds": [0], "training": {"epochs": 1, "batch_size": 30}}
    return Experiment.from_params(params).run("cpu", progress=False)


def with_accuracies(result, name, accuracies):
    changed = result.model_copy(deep=True, update={"name": name})
    records = []
    for seed, accuracy in accuracies.items():
        record = result.measured.seeds[0].model_copy(deep=True, update={"seed": seed})
        record.test.accuracy = accuracy
        records.append(record)
    changed.measured.seeds = records
    return changed


def test_a_result_comes_back_as_it_was_written(result, tmp_path):
    path = tmp_path / "deep" / "tiny.json"
    result.save(path)
    assert results.load(path) == result
    assert results.load(path).measured_bytes() == result.measured_bytes()


@pytest.mark.parametrize("value", [math.inf, 1 / 3, 1e-300])
def test_every_number_survives_the_file(result, tmp_path, value):
    result.measured.seeds[0].test.nll = value
    result.measured.seeds[0].curves["train_loss"] = [value]
    result.save(tmp_path / "tiny.json")
    assert results.load(tmp_path / "tiny.json") == result


def broken(how: str, text: str) -> bytes:
    tree = json.loads(text)
    if how == "truncated":
        return text[: len(text) // 2].encode()
    if how == "empty":
        return b""
    if how == "no text":
        return b"\xff\x00"
    if how == "a list":
        return b"[]"
    if how == "a key too many":
        tree["extra"] = 1
    elif how == "a number for a list":
        tree["measured"]["seeds"] = 3
    else:
        del tree["measured"]["seeds"][0]["test"]
    return json.dumps(tree).encode()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda tree: tree["measured"]["seeds"].append(tree["measured"]["seeds"][0]), "others"),
        (lambda tree: tree["measured"]["seeds"][0].update(seed=7), "others"),
        (lambda tree: tree["params"].update(seeds=[0, 1]), "others"),
        (lambda tree: tree["provenance"].update(keys={}), "provenance.keys"),
        (lambda tree: tree["measured"]["seeds"][0].update(epoch=-3), "measured.seeds.0.epoch"),
        (lambda tree: tree["measured"]["seeds"][0]["test"].update(accuracy=5.0), "test.accuracy"),
        (lambda tree: tree["measured"]["seeds"][0]["test"].update(accuracy="0.9"), "test.accuracy"),
        (
            lambda tree: tree["measured"]["seeds"][0]["test"].update(accuracy=math.nan),
            "test.accuracy",
        ),
        (lambda tree: tree.update(format=1), "format"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(result, tmp_path, change, named):
    path = tmp_path / "tiny.json"
    result.save(path)
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    with pytest.raises(StudyError, match=rf"not a complete results file \(.*{named}"):
        results.load(path)


def test_a_folder_in_place_of_a_file_is_one_sentence(tmp_path):
    with pytest.raises(StudyError, match=r"tmp.*cannot be read \(Is a directory\); remove it"):
        results.load(tmp_path)


@pytest.mark.parametrize(
    "how",
    ["truncated", "empty", "no text", "a list", "a key too many", "a number for a list", "no test"],
)
def test_a_broken_file_is_one_sentence(result, tmp_path, how):
    path = tmp_path / "tiny.json"
    result.save(path)
    path.write_bytes(broken(how, path.read_text()))
    with pytest.raises(StudyError) as caught:
        results.load(path)
    assert str(caught.value).startswith(f"{path}: not a complete results file (")
    assert str(caught.value).endswith("delete it and run its experiment again")
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(StudyError, match=r"no such results file; run its experiment first"):
        results.load(tmp_path / "tiny.json")


# --- stale -------------------------------------------------------------------------------------


@pytest.fixture
def study(params, trained_teachers, tmp_path):
    """UMT and its teachers, run; stale(name), a writer of params files, and what it has written."""
    folder = tmp_path / "params"
    folder.mkdir()
    written = {}

    def write(changed):
        written[changed["name"]] = changed
        (folder / f"{changed['name']}.yaml").write_text(yaml.safe_dump(changed))

    for m, name in trained_teachers.items():
        write({**params, "name": name, "method": {"name": "unimodal", "modality": m}})
    write({**params, "method": {"name": "umt"}, "teachers": trained_teachers})
    umt = written["tiny"] | {"sweep": {"weight": [0.5, 1.0]}, "seeds": [0, 1]}
    write(umt)
    Experiment.from_params(umt).run("cpu", progress=False)

    def stale(name="tiny"):
        return results.stale(name, paths.results_dir(), folder)

    return stale, write, written


def test_a_result_is_current_until_something_that_made_it_changes(study, monkeypatch):
    stale, write, written = study
    names = list(written)
    assert [stale(name) for name in names] == ["", "", ""]

    umt = copy.deepcopy(written["tiny"])
    write({**umt, "seeds": [0, 1, 2]})
    assert stale() == "made with other params"
    write(umt)

    teacher = copy.deepcopy(written["tiny-a"])
    write({**teacher, "training": {**teacher["training"], "epochs": 4}})
    assert stale() == "made with other teachers"
    assert stale("tiny-a") == "made with other params"
    assert stale("tiny-b") == ""
    write({**teacher, "seeds": [0, 1, 2, 3]})
    assert stale() == ""  # a teacher's further seeds are no other teachers
    write(teacher)

    with monkeypatch.context() as patch:
        patch.setattr(results, "code_key", lambda params: "other")
        assert stale() == "made by other code"
    with monkeypatch.context() as patch:
        patch.setattr(results, "source", lambda params, elsewhere: "other bytes")
        assert stale() == "made from other data"
    assert stale() == ""


def test_missing_and_damaged_results_are_stale(study):
    stale, _, _ = study
    path = paths.results_dir() / "tiny.json"
    path.write_text(path.read_text()[:-300])
    assert stale() == "damaged"
    path.write_bytes((paths.results_dir() / "tiny-a.json").read_bytes())  # of another experiment
    assert stale() == "damaged"
    path.unlink()
    assert stale() == "missing"


def test_dates_of_files_do_not_count(study):
    stale, _, _ = study
    path = paths.results_dir() / "tiny.json"
    import os

    os.utime(path, (0, 0))
    assert stale() == ""


# --- reading -----------------------------------------------------------------------------------


def test_differences_are_paired_by_seed_and_take_those_both_have(result):
    a = with_accuracies(result, "a", {0: 0.8, 1: 0.7, 2: 0.9, 5: 0.1})
    b = with_accuracies(result, "b", {2: 0.85, 0: 0.7, 1: 0.65, 6: 0.0})
    found = comparisons.difference(a, b)
    assert found.n == 3
    assert found.mean == pytest.approx((0.1 + 0.05 + 0.05) / 3)
    assert found.low < found.mean < found.high
    assert a.accuracy == [0.8, 0.7, 0.9, 0.1]
    assert comparisons.difference(a, with_accuracies(result, "c", {9: 0.5})) is None
    assert comparisons.difference(a, a) is None
    assert comparisons.difference(a, None) is None
    assert comparisons.difference(a, b, "probe.nothing") is None


def test_clear_differences_survive_the_correction_of_their_family():
    sure, doubtful = t_interval([0.1, 0.11, 0.12]), t_interval([0.016, 0.025, 0.034])  # p = 0.04
    assert comparisons.clear([doubtful]) == [True]
    assert comparisons.clear([doubtful, sure]) == [True, True]
    assert comparisons.clear([doubtful, t_interval([0.1, -0.1, 0.0])]) == [False, False]
    family = comparisons.Family({"sure": sure, "less": t_interval([-0.1, -0.11]), "none": None})
    assert len(family) == 2
    assert family.get("none") is None
    assert [family.is_better(k) for k in ("sure", "less", "none")] == [True, False, False]
    assert [family.is_worse(k) for k in ("sure", "less", "none")] == [False, True, False]
    assert len(comparisons.Family({})) == 0


def test_discoveries_are_fewer_than_single_tests_and_more_than_claims():
    sure = [t_interval([0.1, 0.11, 0.12])] * 9
    doubtful = [t_interval([0.016, 0.025, 0.034])] * 2
    none = [t_interval([0.1, -0.1, 0.0])]
    assert sum(comparisons.discovered([*sure, *doubtful, *none])) == 11
    assert sum(comparisons.clear([*sure, *doubtful, *none])) == 9
    assert comparisons.discovered(doubtful + none * 10) == [False] * 12
    assert comparisons.discovered([]) == []


def test_the_same_models_have_the_same_epochs_and_scores(result):
    a = with_accuracies(result, "a", {0: 0.8, 1: 0.7})
    assert comparisons.same_models(a, with_accuracies(result, "b", {0: 0.8, 1: 0.7}))
    assert not comparisons.same_models(a, with_accuracies(result, "b", {0: 0.8, 1: 0.71}))
    assert not comparisons.same_models(a, with_accuracies(result, "b", {0: 0.8}))
    later = with_accuracies(result, "b", {0: 0.8, 1: 0.7})
    later.measured.seeds[1].epoch += 1
    assert not comparisons.same_models(a, later)


def test_the_frame_has_a_row_per_experiment_and_seed(study):
    frame = results.frame(paths.results_dir())
    assert frame[["experiment", "seed"]].values.tolist() == [
        [name, seed] for name in ("tiny", "tiny-a", "tiny-b") for seed in (0, 1)
    ]
    umt = results.load(paths.results_dir() / "tiny.json")
    rows = frame[frame["experiment"] == "tiny"]
    assert rows["test_accuracy"].tolist() == umt.accuracy
    assert rows["probe.b"].tolist() == [r.probes["b"] for r in umt.measured.seeds]
    assert json.loads(rows["options"].iloc[0]) == umt.measured.chosen
    assert frame[frame["experiment"] == "tiny-a"]["probe.b"].isna().all()
    assert set(rows["method"]) == {"umt"}


def test_rising_compares_the_last_quarters_of_the_constant_rate(result):
    record = result.measured.seeds[0]

    def rising(curve, decay=0.2):
        record.curves["validation_accuracy"] = curve
        return comparisons.rising(record, decay)

    flat = [0.1] * 4 + [0.5] * 4 + [0.9] * 2  # of 8 constant epochs the last 4 are level
    assert rising(flat) == 0
    assert rising([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1, 1]) == pytest.approx(0.2)
    assert rising([0.4, 0.6], 0.5) == pytest.approx(0.2)
    assert math.isnan(rising([0.4]))
    assert math.isnan(rising([]))


def test_a_result_is_stale_if_the_rate_that_it_took_is_chosen_no_more(params, tmp_path):
    params |= {"seeds": [0], "training": {"epochs": 1, "batch_size": 30}}
    specs = {
        "joint": {**params, "name": "joint", "sweep": {"learning_rate": [0.01, 0.1]}},
        "other": {**params, "name": "other", "learning_rate_of": "joint"},
    }
    for name, spec in specs.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(spec))
        Experiment.from_params(spec).run("cpu", progress=False)
    joint = results.load(path := paths.results_dir() / "joint.json")

    def stale() -> str:
        return results.stale("other", paths.results_dir(), tmp_path)

    assert stale() == ""
    joint.measured.chosen["learning_rate"] *= 2
    joint.save(path)
    assert stale() == "made with another learning rate than joint"
    path.unlink()
    assert stale() == "made from results that are missing or damaged"
