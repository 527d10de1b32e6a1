import numpy as np
import pytest
import torch
from worlds import classified, decoded

from umt_lib.data import two_way_tables
from umt_lib.data.generated import additive_fit
from umt_lib.data.two_way_tables import bayes, distribution
from umt_lib.errors import StudyError

DIALS = {"main_a": (1.0, 0.5), "main_b": (0.8, 1.2), "levels": 3}
SIZES = {"n_train": 60_000, "n_validation": 200, "n_test": 200, "noise": 0.2}


@pytest.mark.parametrize("gamma", [(), (1.5,), (1.0, 2.0)])
def test_bayes_is_the_accuracy_of_the_true_posteriors_on_samples(gamma):
    train = two_way_tables.load(**SIZES, **DIALS, gamma=gamma).train
    values = decoded(train.x, {"a": 2, "b": 2}, 3)
    a, b = (np.ravel_multi_index(v.T, (3, 3)) for v in values.values())
    joint = distribution(**DIALS, gamma=gamma)
    reached = classified(joint, train.y.numpy(), a, b)
    assert reached == pytest.approx(bayes(**DIALS, gamma=gamma), abs=0.008)
    drawn = np.zeros_like(joint)
    np.add.at(drawn, (train.y.numpy(), a, b), 1 / len(train))
    np.testing.assert_allclose(drawn, joint, atol=0.004)


def test_without_interactions_the_product_over_the_prior_is_exact():
    for gamma in ((), (0.0, 0.0)):
        joint, found = distribution(**DIALS, gamma=gamma), bayes(**DIALS, gamma=gamma)
        np.testing.assert_allclose(joint.sum((1, 2)), two_way_tables.PRIOR)
        assert found["additive"] == pytest.approx(found["all"], abs=1e-12)
        assert additive_fit(joint) == pytest.approx(found["all"], abs=1e-5)


def test_interactions_take_from_what_is_additive():
    gains = []
    for gamma in (0.0, 0.5, 1.0, 2.0):
        found = bayes(**DIALS, gamma=(gamma, gamma))
        limit = additive_fit(distribution(**DIALS, gamma=(gamma, gamma)))
        gains.append(found["all"] - limit)
        assert limit < found["all"] + 1e-9
    assert gains == sorted(gains)
    assert gains[-1] > 0.1


def test_gamma_changes_the_labels_and_not_the_features():
    plain, other = (two_way_tables.load(**SIZES, gamma=(g,)).train for g in (0.0, 2.0))
    assert all(torch.equal(plain.x[m], other.x[m]) for m in "ab")
    assert (plain.y != other.y).float().mean() > 0.2


def test_interactions_have_no_main_effect_and_size_gamma():
    """One pair of features: the logits with gamma minus those without, up to a constant in y."""
    dials = {"main_a": (1.0,), "main_b": (1.0,)}
    logs = [np.log(distribution(**dials, gamma=(g,))) for g in (0.0, 0.7)]
    tables = two_way_tables._tables(**dials, gamma=(0.7,), levels=4, prior=(0.5, 0.5), table_seed=1)
    (g,) = tables.interactions
    np.testing.assert_allclose([g.mean(axis=1), g.mean(axis=2)], 0, atol=1e-12)
    assert g.std() == pytest.approx(0.7)
    change = logs[1] - logs[0]
    (own,) = two_way_tables._tables(
        **dials, gamma=(0.7,), levels=4, prior=two_way_tables.PRIOR, table_seed=0
    ).interactions
    np.testing.assert_allclose(change - change[0], own - own[0], atol=1e-9)


def test_tables_belong_to_the_table_seed_and_codes_to_the_data_seed():
    assert bayes(table_seed=0) != bayes(table_seed=1)
    first, other = (two_way_tables.load(500, 100, 100, data_seed=s) for s in (0, 1))
    assert not torch.equal(first.train.x["a"], other.train.x["a"])
    one, two = distribution(**DIALS, gamma=(1.0,)), distribution(**DIALS, gamma=(1.0, 0.0))
    np.testing.assert_allclose(one, two)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"levels": 9}, "levels is 9; give 2 to 8"),
        ({"prior": (0.5, 0.6)}, "two or more positive shares that add up to 1"),
        ({"prior": (1.0,)}, "two or more positive shares"),
        ({"prior": (1.0, 0.0)}, "two or more positive shares"),
        ({"gamma": (1.0, 1.0, 1.0)}, "gamma has 3 interactions for 2 and 2 features"),
        ({"main_a": (), "gamma": ()}, "main_a is empty"),
        ({"main_b": (1.0, -1.0)}, "main_b has -1.0; give 0 or more"),
        ({"table_seed": -1}, "table_seed is -1"),
    ],
)
def test_bad_options_are_named(options, sentence):
    for function in (two_way_tables.load, bayes):
        with pytest.raises(StudyError, match=sentence):
            function(**options)


def test_too_many_patterns_are_refused():
    with pytest.raises(StudyError, match="too many to enumerate"):
        bayes(main_a=(1.0,) * 8, main_b=(1.0,) * 8)
