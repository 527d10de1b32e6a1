"""Fairness is a test: the experiments of one data set differ in the method and in nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from umt_lib.data import DATASETS, PAIR_KINDS
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS
from umt_lib.paths import PARAMS
from umt_lib.study.experiments import params as params_files

FILES = sorted(PARAMS.glob("*.yaml"))
MAY_DIFFER = {"name", "method", "head", "sweep", "learning_rate_of", "teachers", "resources"}


@cache
def read(path: Path) -> dict:
    return params_files.read(path)


def every_file(rule: Callable[[Path], None]) -> Callable[[], None]:
    """A test that every file keeps a rule, and names those that do not.

    A test for each file and rule, thousands, would take longer to report than to run.
    """

    def test() -> None:
        broken = []
        for path in FILES:
            try:
                rule(path)
            except (AssertionError, LookupError, StudyError) as error:
                broken.append(f"{path.name}: {error!r}")
        assert not broken, "\n".join(broken)

    test.__doc__ = rule.__doc__
    return test


def test_there_are_experiments():
    assert FILES


@every_file
def test_it_is_right_small_and_has_seeds_enough(path):
    """Reading holds every key against the constructors; the name is the file's."""
    params = read(path)
    assert len(path.read_text().splitlines()) <= 20
    assert len(params["seeds"]) >= 5
    for values in params.get("sweep", {}).values():
        assert 2 <= len(values) <= 5
        assert len(set(map(str, values))) == len(values)
    assert params["name"].startswith(params["dataset"]["name"])


@every_file
def test_it_opens_with_what_to_expect(path):
    """A number, hours, minutes or seconds, and hardware, for the reader who is about to run it."""
    comment = re.match(r"(?:#.*\n)+", path.read_text())
    assert comment
    words = comment.group().lower()
    assert re.search(r"(\d|half a|an?|in) (seconds?|minutes?|hours?)\b", words)
    assert re.search(r"\b(cpu|gpu|cores?)\b", words)


@every_file
def test_its_opening_comment_and_its_resources_agree(path):
    """The comment is for people, the key for the run graph."""
    comment = re.search(r"an estimated (\d+) hours? and \d+ GB on one GPU", path.read_text())
    estimate = read(path).get("resources")
    expected = comment and {"gpu_hours": int(comment[1])}
    assert estimate == expected


def common(params: dict) -> dict:
    """What all experiments of a data set have in common; uni-modal ones may train for longer."""
    training = params["training"]
    if params["method"]["name"] == "unimodal":
        training = {key: value for key, value in training.items() if key != "epochs"}
    return {k: v for k, v in params.items() if k not in MAY_DIFFER} | {"training": training}


@every_file
def test_it_agrees_with_its_data_sets_other_experiments(path):
    params = read(path)
    reference = read(PARAMS / f"{params['dataset']['name']}-joint-linear.yaml")
    epochs = reference["training"]["epochs"]
    expected = common({**reference, "method": params["method"]})
    assert common(params) == expected
    assert params["training"]["epochs"] >= epochs


@every_file
def test_the_longer_joint_training_has_the_budget_of_umt(path):
    """Passes through encoders: teachers' and student's together, per encoder and sample."""
    params = read(path)
    if params["method"]["name"] == "joint-longer":
        dataset, epochs = params["dataset"]["name"], params["training"]["epochs"]
        teachers = read(PARAMS / f"{dataset}-umt.yaml")["teachers"].values()
        theirs = {read(PARAMS / f"{name}.yaml")["training"]["epochs"] for name in teachers}
        assert {epochs * (params["method"].get("factor", 2) - 1)} == theirs


@every_file
def test_its_teachers_are_the_unimodal_experiments_of_its_data_set(path):
    params = read(path)
    for modality, name in params.get("teachers", {}).items():
        teacher = read(PARAMS / f"{name}.yaml")
        assert teacher["method"] == {"name": "unimodal", "modality": modality}
        assert teacher["dataset"] == params["dataset"]
        assert set(params["seeds"]) <= set(teacher["seeds"])


def test_no_two_files_are_the_same_experiment():
    seen = {}
    for path in FILES:
        text = yaml.safe_dump({k: v for k, v in read(path).items() if k != "name"})
        assert text not in seen, f"{path.stem} is {seen[text]} again"
        seen[text] = path.stem


def methods_on(dataset: str) -> set[str]:
    """The methods on a data set; each modality of it has a uni-modal model if it has any."""
    mine = [read(p) for p in FILES if read(p)["dataset"]["name"] == dataset]
    modalities = {p["method"]["modality"] for p in mine if p["method"]["name"] == "unimodal"}
    assert modalities == {m for p in mine for m in p["encoders"]}
    return {params["method"]["name"] for params in mine}


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name not in PAIR_KINDS])
def test_every_method_is_tried_on_every_data_set(dataset):
    assert methods_on(dataset) == set(METHODS)


@pytest.mark.parametrize("dataset", PAIR_KINDS)
def test_a_kind_of_paired_features_has_simple_choices_only(dataset):
    assert methods_on(dataset) <= {name for name, method in METHODS.items() if method.baseline}


def test_joint_training_is_measured_where_a_linear_head_uses_paired_features():
    assert methods_on("shared-nuisance") >= {"unimodal", "ume", "joint", "umt", "frozen"}


REFERENCES = {
    "unimodal",
    "joint",
    "joint-auxiliary",
    "joint-longer",
    "umt",
    "frozen",
    "unimodal-init",
}
STEEP = {"arl", "mmcosine", "sustained-boosting"}  # losses of a larger scale than joint training's


@every_file
def test_its_learning_rate_is_chosen_on_validation(path):
    """References have one grid per data set, steep losses one a step lower, others joint's rate."""
    params = read(path)
    dataset, method = params["dataset"]["name"], params["method"]["name"]
    grid = read(PARAMS / f"{dataset}-joint-linear.yaml")["sweep"]["learning_rate"]
    assert "learning_rate" not in params["training"]
    if method in REFERENCES:
        assert next(iter(params["sweep"].items())) == ("learning_rate", grid)
    elif method in STEEP:
        assert set(params["sweep"]) == {"learning_rate"}
        assert params["sweep"]["learning_rate"][1:] == grid[:2]
    elif method in ("ume", "ume-qmf"):  # train nothing
        assert "learning_rate_of" not in params
    else:
        joint = read(PARAMS / f"{params['learning_rate_of']}.yaml")
        for key in ("dataset", "encoders", "head"):
            assert joint[key] == params[key]
        assert joint["method"] == {"name": "joint"}
