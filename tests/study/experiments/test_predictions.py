"""Predictions of finished models are those that were measured; nothing is trained for them."""

from __future__ import annotations

import pytest
import torch

from umt_lib.data import Split
from umt_lib.errors import StudyError
from umt_lib.study.experiments import experiment, results
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.experiments.predictions import Predicted, predicted

METHODS = {
    "joint": {"method": {"name": "joint"}},
    "umt": {"method": {"name": "umt"}, "sweep": {"weight": [0.1, 1.0]}},
    "ume": {"method": {"name": "ume"}, "sweep": {"rule": ["mean", "weighted"]}},
}


@pytest.fixture(params=METHODS)
def result(request, params, trained_teachers, monkeypatch) -> results.Result:
    """A finished experiment, after which nothing can be trained any more."""
    needs = {} if request.param == "joint" else {"teachers": trained_teachers}
    made = {**params, **METHODS[request.param], **needs}
    found = Experiment.from_params(made).run("cpu", progress=False)
    monkeypatch.setattr(experiment, "fit", lambda *given: pytest.fail("a model is trained"))
    return found


def test_every_seed_has_the_accuracy_that_was_measured(result):
    for record in result.measured.seeds:
        found = predicted(result, record.seed)
        assert found.accuracy == record.test.accuracy
        assert found.confusion.sum() == record.test.samples
        assert found.confusion.diagonal().sum() == round(record.test.accuracy * record.test.samples)
        assert torch.allclose(found.probabilities.sum(1), torch.ones(record.test.samples))


@pytest.mark.parametrize(
    ("has_file", "fix"), [(True, "run umt run .*tiny.yaml"), (False, "repeat the command of this")]
)
def test_a_missing_model_is_named_and_not_trained(
    has_file, fix, params, runs, tmp_path, monkeypatch
):
    monkeypatch.setenv("UMT_PARAMS", str(tmp_path))
    if has_file:
        (tmp_path / "tiny.yaml").touch()
    result = Experiment.from_params(params).run("cpu", progress=False)
    (runs / "checkpoints/tiny/seed1.safetensors").unlink()
    monkeypatch.setattr(experiment, "fit", lambda *given: pytest.fail("a model is trained"))
    predicted(result, 0)
    with pytest.raises(StudyError, match=f"tiny: there is no model of seed 1 .* {fix}"):
        predicted(result, 1)


def test_a_model_of_other_code_is_not_used(params, monkeypatch):
    result = Experiment.from_params(params).run("cpu", progress=False)
    monkeypatch.setattr(
        "umt_lib.study.experiments.provenance.training_key", lambda *given: "another"
    )
    with pytest.raises(StudyError, match="there is no model of seed 0 from the code"):
        predicted(result, 0)


def test_a_seed_that_was_not_measured_is_refused(params):
    result = Experiment.from_params(params).run("cpu", progress=False)
    with pytest.raises(StudyError, match=r"tiny: there is no seed 7; give one of \[0, 1\]"):
        predicted(result, 7)


def test_the_most_wrong_samples_come_first():
    y = torch.tensor([0, 0, 1, 1])
    probabilities = torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.1, 0.9]])
    found = Predicted(Split({}, y), ("no", "yes"), probabilities)
    assert found.most_wrong(5).tolist() == [2, 1]
    assert found.most_wrong(1).tolist() == [2]
    assert found.confusion.tolist() == [[1, 1], [1, 1]]
    assert found.accuracy == 0.5
