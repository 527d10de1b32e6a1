"""The search over a grid, and sweeps of experiments: the rule of extension is the same for all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from tiny import Scaled

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.methods import METHODS, Joint
from umt_lib.study.experiments import experiment, results, sweep
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.training import Diverged


def run(params) -> results.Result:
    return Experiment.from_params(params).run("cpu", progress=False)


def searched(grid, best, valid=lambda value: True):
    """The trials if the score falls with the distance from ``best``."""
    return sweep.search(grid, lambda v: (-abs(math.log(v / best)), 0.0), valid)


@pytest.mark.parametrize(
    ("grid", "best", "tried"),
    [
        ([0.1, 0.3, 1.0], 0.3, [0.1, 0.3, 1.0]),  # inside: nothing to extend
        ([0.1, 0.3, 1.0], 3.0, [0.1, 0.3, 1.0, 3.3, 11.0]),
        ([0.1, 0.3, 1.0], 0.03, [0.1, 0.3, 1.0, 0.033, 0.011]),
        ([0.1, 0.3, 1.0], 1e9, [0.1, 0.3, 1.0, 3.3, 11.0]),  # five values at most
        ([1, 4, 16], 64, [1, 4, 16, 64, 256]),  # whole numbers stay whole
    ],
)
def test_a_grid_is_extended_where_its_best_value_lies_at_an_edge(grid, best, tried):
    trials = searched(grid, best)
    assert [value for value, _ in trials] == tried
    assert sweep.best(trials) == min(tried, key=lambda v: abs(math.log(v / best)))


def test_a_grid_is_not_extended_to_what_a_method_refuses():
    assert [v for v, _ in searched([0.1, 0.3, 0.5], 0.9, lambda v: v <= 1)] == [
        *(0.1, 0.3, 0.5),
        0.83,
    ]


@pytest.mark.parametrize("grid", [["mean", "product"], [0.0, 0.5], [True, False], [2, 1]])
def test_a_grid_without_a_ratio_is_not_extended(grid):
    """Names, a grid that ends at 0, and whole numbers below 1."""
    assert sweep.beyond(grid, grid[0] if grid != [2, 1] else 1) is None


def test_of_equal_accuracies_the_better_cross_entropy_is_chosen():
    scores = {1.0: (1.0, -0.4), 2.0: (1.0, -0.1), 3.0: (1.0, -0.3)}
    assert sweep.best(sweep.search([1.0, 2.0, 3.0], scores.__getitem__, lambda v: True)) == 2.0


# --- in experiments ------------------------------------------------------------------------------


def test_the_learning_rate_is_chosen_first_then_the_hyper_parameter_at_that_rate(params):
    params |= {
        "method": {"name": "joint-auxiliary"},
        "sweep": {"learning_rate": [0.01, 0.1, 0.5], "weight": [0.5, 1.0, 2.0]},
    }
    measured = run(params).measured
    assert list(measured.chosen) == ["learning_rate", "weight"]
    fields = [t.field for t in measured.sweep]
    assert fields == sorted(fields)  # all rates, then all weights
    fixed = {
        **params,
        "name": "fixed",
        "method": {"name": "joint-auxiliary", "weight": measured.chosen["weight"]},
        "training": {**params["training"], "learning_rate": measured.chosen["learning_rate"]},
        "sweep": {},
    }
    assert run(fixed).measured.seeds == measured.seeds


def test_a_rate_with_which_training_diverges_is_not_chosen_and_leaves_no_file(params, runs):
    params["sweep"] = {"learning_rate": [0.1, 1e20]}
    result = run(params)
    assert result.measured.chosen == {"learning_rate": 0.1}
    failed = [t for t in result.measured.sweep if t.value == 1e20]
    assert [(t.validation, t.nll) for t in failed] == [(0.0, None)]
    assert results.load(paths.results_dir() / "tiny.json") == result
    assert not list(runs.rglob("*1e+20*"))
    with pytest.raises(Diverged, match="tiny: the training loss became"):
        run({**params, "sweep": {}, "training": {**params["training"], "learning_rate": 1e20}})


def test_a_rate_with_which_a_later_seed_diverges_has_failed_and_the_next_best_is_taken(
    params, monkeypatch
):
    params |= {"seeds": [0, 1, 2, 3], "sweep": {"learning_rate": [0.01, 0.1, 0.3]}}
    before = run({**params, "name": "before"}).measured
    best = before.chosen["learning_rate"]
    trains = Experiment._fit

    def fit(self, model, method, seed, overrides, *rest):
        if seed == 3 and overrides.get("learning_rate") in failing:
            raise Diverged("the training loss became nan")
        return trains(self, model, method, seed, overrides, *rest)

    monkeypatch.setattr(Experiment, "_fit", fit)
    failing = [best]
    after = run(params).measured
    others = [t for t in before.sweep if t.value != best]
    assert [t for t in after.sweep if t.value != best] == others
    assert [(t.validation, t.nll) for t in after.sweep if t.value == best] == [(0.0, None)]
    second = max(others, key=lambda t: (t.validation, -t.nll)).value
    assert after.chosen == {"learning_rate": second}
    training = {**params["training"], "learning_rate": second}
    alone = run({**params, "name": "alone", "sweep": {}, "training": training})
    assert alone.measured.seeds == after.seeds
    failing = [t.value for t in before.sweep]
    with pytest.raises(Diverged, match="the training loss became nan"):
        run({**params, "name": "none"})


def test_the_chosen_models_are_where_teachers_and_diagnostics_look(params):
    params["sweep"] = {"learning_rate": [0.01, 0.1]}
    result = run(params)
    model, splits = experiment.finished("tiny", 1)
    with torch.no_grad():
        right = (model(splits.test.x).fused.argmax(1) == splits.test.y).double().mean().item()
    assert right == result.measured.seeds[1].test.accuracy


def test_another_experiment_takes_the_rate_that_joint_training_chose(params):
    borrower = {**params, "name": "other", "learning_rate_of": "tiny"}
    with pytest.raises(StudyError, match=r"'tiny' has no result .*umt run params/tiny\.yaml first"):
        run(borrower)
    chosen = run({**params, "sweep": {"learning_rate": [0.01, 0.3]}}).measured.chosen
    other = run(borrower)
    assert other.measured.chosen == chosen
    assert results.learning_rate(other) == chosen["learning_rate"] != 0.05
    fixed = {**params["training"], "learning_rate": chosen["learning_rate"]}
    assert run({**params, "name": "fixed", "training": fixed}).measured.seeds == (
        other.measured.seeds
    )


def test_a_rate_of_another_head_or_of_other_code_is_refused(params, monkeypatch):
    run({**params, "sweep": {"learning_rate": [0.01, 0.3]}})
    other = {**params, "name": "other", "learning_rate_of": "tiny"}
    with pytest.raises(StudyError, match="other: learning_rate_of: 'tiny' has another data set"):
        run({**other, "head": {"name": "mlp"}})
    monkeypatch.setattr(experiment.provenance, "code_key", lambda params: "other code")
    with pytest.raises(StudyError, match=r"'tiny' was measured by other code .*tiny\.yaml again"):
        run(other)


@pytest.mark.parametrize(
    "two",
    [
        {"learning_rate_of": "tiny", "sweep": {"learning_rate": [0.1, 0.2]}},
        {"learning_rate_of": "tiny", "training": {"epochs": 1, "learning_rate": 0.1}},
        {"sweep": {"learning_rate": [0.1, 0.2]}, "training": {"epochs": 1, "learning_rate": 0.1}},
    ],
)
def test_two_learning_rates_are_refused(params, two):
    with pytest.raises(StudyError, match=r"learning_rate.* and .*keep one of them"):
        run({**params, "name": "other", **two})


@dataclass
class Ignored(Joint):
    """A method whose hyper-parameter has no effect."""

    nothing: float = 1.0


def test_the_values_of_a_sweep_are_those_that_were_trained(params, monkeypatch):
    monkeypatch.setitem(METHODS, "ignored", Ignored)
    params |= {"method": {"name": "ignored"}, "sweep": {"nothing": [0.1, 1.0, 10.0]}}
    (first, *others) = run(params).measured.sweep
    assert all((t.validation, t.nll) == (first.validation, first.nll) for t in others)


def test_of_equal_accuracies_the_value_with_the_least_cross_entropy_is_chosen(params, monkeypatch):
    monkeypatch.setitem(METHODS, "scaled", Scaled)
    result = run({**params, "method": {"name": "scaled"}, "sweep": {"scale": [90.0, 1.0, 0.01]}})
    trials = result.measured.sweep
    assert len({t.validation for t in trials}) == 1
    best = min(trials, key=lambda t: t.nll)
    assert result.measured.chosen == {"scale": best.value}
    seeds = result.measured.seeds
    assert best.nll == pytest.approx(sum(r.validation.nll for r in seeds) / len(seeds))
    assert best.nll > 0


def test_a_sweep_is_extended_to_values_that_may_be_in_the_file_only(params, monkeypatch):
    monkeypatch.setattr(Experiment, "_try", lambda self, given, *_: (given["p"], 0.0))
    params |= {"method": {"name": "modality-dropout"}, "sweep": {"p": [0.1, 0.3]}, "seeds": [0]}
    assert [t.value for t in run(params).measured.sweep] == [0.1, 0.3, 0.9]  # 2.7 is no probability
