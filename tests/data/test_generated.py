"""What the three generated data sets with other kinds of paired features have in common."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from umt_lib.data import graded_pairs, load, shared_nuisance, two_way_tables
from umt_lib.data.generated import additive_fit, facts
from umt_lib.data.synthetic import WIDTH
from umt_lib.errors import StudyError

MODULES = {
    "shared-nuisance": shared_nuisance,
    "two-way-tables": two_way_tables,
    "graded-pairs": graded_pairs,
}
SMALL = {"n_train": 300, "n_validation": 100, "n_test": 200}
every_dataset = pytest.mark.parametrize("name", MODULES)


@every_dataset
def test_it_loads_and_repeats_and_every_fold_is_another_draw(name):
    first, again, other = load(name, **SMALL), load(name, **SMALL), load(name, **SMALL, fold=1)
    assert first.modalities == ("a", "b")
    for m, x in first.train.x.items():
        assert x.dtype == torch.float32
        assert x.shape[1] % WIDTH == 0
        assert torch.equal(x, again.train.x[m])
        assert not torch.equal(x, other.train.x[m])
    assert torch.equal(first.test.y, again.test.y)


@every_dataset
def test_more_training_data_leaves_the_test_set_alone(name):
    small, large = load(name, **SMALL), load(name, **{**SMALL, "n_train": 500})
    assert torch.equal(small.test.x["b"], large.test.x["b"])
    assert torch.equal(small.validation.y, large.validation.y)


@every_dataset
def test_a_scale_per_feature_changes_the_size_of_that_feature_only(name):
    plain = load(name, **SMALL).train.x
    features = plain["a"].shape[1] // WIDTH
    factors = tuple(0.5**k for k in range(features))
    scaled, one = (load(name, **SMALL, scale_a=s).train.x for s in (factors, 0.5))
    for k, block in enumerate(plain["a"].split(WIDTH, dim=1)):
        assert torch.equal(scaled["a"].split(WIDTH, dim=1)[k], block * factors[k])
    assert torch.equal(one["a"], plain["a"] / 2)
    assert torch.equal(scaled["b"], plain["b"])


@every_dataset
def test_bayes_has_the_dials_and_the_defaults_of_load(name):
    shared = inspect.signature(MODULES[name].bayes).parameters
    own = inspect.signature(MODULES[name].load).parameters
    assert shared.items() <= own.items()
    found = MODULES[name].bayes()
    assert list(found) == ["a", "b", "additive", "all"]
    assert max(found["a"], found["b"]) < found["additive"] < found["all"] - 0.05


@every_dataset
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"noise": -0.1}, "noise is -0.1; give 0 or more"),
        ({"scale_b": (1.0,) * 9}, "scale_b has 9 factors for"),
        ({"data_seed": -1}, "data_seed is -1"),
    ],
)
def test_bad_options_are_named(name, options, sentence):
    with pytest.raises(StudyError, match=sentence):
        load(name, **SMALL, **options)


@every_dataset
def test_picture_draws(name):
    figure = MODULES[name].picture(load(name, **SMALL))
    figure.canvas.draw()
    assert len(figure.axes) >= 3


def test_the_product_of_posteriors_counts_the_prior_once():
    """One weak, rare class that both modalities show: twice the prior would never predict it."""
    prior = np.array([0.8, 0.2])
    given = np.array([[0.7, 0.3], [0.3, 0.7]])  # P(feature | y), in both modalities
    joint = np.einsum("y,ya,yb->yab", prior, given, given)
    found = facts(joint)
    assert found["a"] == found["b"] == pytest.approx(0.8)
    assert found["additive"] == found["all"] == pytest.approx(1 - 0.2 * (1 - 0.49) - 0.8 * 0.09)


def test_ties_are_broken_at_random():
    xor = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]) / 4
    assert facts(xor) == pytest.approx({"a": 0.5, "b": 0.5, "additive": 0.5, "all": 1.0})


def test_additive_logits_find_what_is_additive_and_nothing_of_xor():
    xor = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]]) / 4
    either = np.array([[[1, 0], [0, 0]], [[0, 1], [1, 1]]]) / 4
    assert additive_fit(xor) == pytest.approx(0.5, abs=1e-6)
    assert additive_fit(either) == pytest.approx(1.0)
