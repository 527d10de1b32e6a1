import inspect

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from umt_lib.data import synthetic
from umt_lib.data.splits import check
from umt_lib.data.synthetic import WIDTH, bayes, best_accuracy, draw
from umt_lib.errors import StudyError

UNI = {"a": (0.6, 0.3), "b": (0.4,)}


def features(n=40_000, classes=3, uni=UNI, paired=(0.5,), seed=0):
    return draw(np.random.default_rng(seed), n, classes, uni, paired)


def agreement(codes, y):
    return (codes == y).mean()


def test_reliability_is_the_chance_to_equal_the_label():
    y, f = features()
    for codes, p in [(f["a"][:, 0], 0.6), (f["a"][:, 1], 0.3), (f["b"][:, 0], 0.4)]:
        assert agreement(codes, y) == pytest.approx(p + (1 - p) / 3, abs=0.01)


def test_paired_halves_say_nothing_alone_and_the_label_together():
    y, f = features()
    c1, c2 = f["a"][:, -1], f["b"][:, -1]
    for half in (c1, c2):
        for k in range(3):
            chances = np.bincount(half[y == k], minlength=3) / (y == k).sum()
            np.testing.assert_allclose(chances, 1 / 3, atol=0.015)
    assert agreement((c1 + c2) % 3, y) == pytest.approx(0.5 + 0.5 / 3, abs=0.01)


def test_perfect_features_decide_the_label():
    y, f = features(uni={"a": (1.0,), "b": ()}, paired=(1.0,))
    assert agreement(f["a"][:, 0], y) == 1
    assert agreement((f["a"][:, 1] + f["b"][:, 0]) % 3, y) == 1


@pytest.mark.parametrize(
    ("reliabilities", "classes", "expected"),
    [
        ([], 4, 1 / 4),
        ([0.6], 4, 0.6 + 0.4 / 4),
        ([0.6, 0.4], 2, 0.8),  # the weaker of two features never outvotes the stronger
        ([0.5, 0.5, 0.5], 2, 0.75**3 + 3 * 0.75**2 * 0.25),  # majority of three
        ([1.0, 0.1], 5, 1.0),
    ],
)
def test_best_accuracy_in_closed_form(reliabilities, classes, expected):
    assert best_accuracy(reliabilities, classes) == pytest.approx(expected)


def test_bayes_agrees_with_a_simulated_bayes_classifier():
    classes, paired = 3, (0.5,)
    y, f = features(classes=classes, paired=paired)
    facts = bayes(UNI, paired, classes)

    def posterior(codes, p):  # log P(codes | y = k): (n, K)
        return np.log(p * (codes[:, None] == np.arange(classes)) + (1 - p) / classes)

    score = {m: sum(posterior(f[m][:, j], p) for j, p in enumerate(UNI[m])) for m in UNI}
    score["additive"] = score["a"] + score["b"]
    pair = (f["a"][:, -1] + f["b"][:, -1]) % classes
    score["all"] = score["additive"] + posterior(pair, paired[0])
    assert score.keys() == facts.keys()
    for seen, s in score.items():
        assert agreement(s.argmax(1), y) == pytest.approx(facts[seen], abs=0.01)


def test_defaults_leave_room_for_every_method():
    options = {k: p.default for k, p in inspect.signature(synthetic.load).parameters.items()}
    uni = {"a": options["uni_a"], "b": options["uni_b"]}
    facts = bayes(uni, options["paired"], options["classes"])
    assert facts["b"] < facts["a"] < facts["additive"] < facts["all"] < 0.95
    assert facts["all"] - facts["additive"] > 0.05


def test_load_shapes_and_repeats():
    first, again = (synthetic.load(60, 20, 20, noise=2.0, data_seed=3) for _ in range(2))
    check(first, "synthetic")
    assert first.shapes == {"a": (4 * WIDTH,), "b": (4 * WIDTH,)}
    assert first.train.x["a"].dtype == torch.float32
    assert torch.equal(first.train.x["a"], again.train.x["a"])
    assert not torch.equal(first.train.x["a"], synthetic.load(60, 20, 20).train.x["a"])


def test_more_training_data_leaves_the_test_set_alone():
    small, large = synthetic.load(60, 20, 20), synthetic.load(600, 20, 20)
    assert torch.equal(small.test.x["b"], large.test.x["b"])
    assert torch.equal(small.validation.y, large.validation.y)


def test_splits_of_one_size_and_draws_of_other_folds_and_seeds_are_different_samples():
    drawn = [(0, 0), (0, 1), (1, 0)]  # data seed and fold
    made = [synthetic.load(60, 60, 60, data_seed=s, fold=f) for s, f in drawn]
    parts = [part for splits in made for part in (splits.train, splits.validation, splits.test)]
    assert len({tuple(part.y.tolist()) for part in parts}) == 9


def test_codes_are_equally_far_apart_and_noise_free_values_are_few():
    x = synthetic.load(400, 20, 20, classes=3, uni_a=(0.5,), paired=(), noise=0.0).train.x["a"]
    codes = torch.unique(x, dim=0)
    assert codes.shape == (3, WIDTH)
    assert torch.pdist(codes).numpy() == pytest.approx(np.full(3, 4.0), rel=1e-5)
    assert codes.sum(0).abs().max() < 1e-5


def test_a_linear_model_reaches_the_uni_modal_ceiling_and_no_more():
    s = synthetic.load(n_train=6000, n_test=10_000, uni_a=(0.6, 0.6, 0.6), uni_b=(), noise=0.2)
    ceiling = bayes({"a": (0.6, 0.6, 0.6), "b": ()}, (), 2)
    for m, expected in (("a", ceiling["a"]), ("b", 0.5)):
        model = LogisticRegression(C=0.01).fit(s.train.x[m], s.train.y)
        assert model.score(s.test.x[m], s.test.y) == pytest.approx(expected, abs=0.02)


def test_scale_changes_the_size_of_one_modality_only():
    plain, scaled = synthetic.load(60, 20, 20), synthetic.load(60, 20, 20, scale_b=0.5)
    assert torch.equal(scaled.train.x["a"], plain.train.x["a"])
    assert torch.equal(scaled.train.x["b"], plain.train.x["b"] / 2)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"classes": 1}, "1 classes; give 2 or more"),
        ({"classes": 9}, "classes is 9; give 8 or fewer"),
        ({"noise": -0.1}, "noise is -0.1"),
        ({"uni_a": (0.5, 1.2)}, "'a': reliability 1.2 is outside"),
        ({"paired": (-0.5,)}, "'paired': reliability -0.5 is outside"),
        ({"uni_b": (), "paired": ()}, "modality 'b' has no feature"),
        ({"n_test": 1}, "split of 1 samples"),
        ({"data_seed": -1}, "data_seed is -1"),
    ],
)
def test_bad_options_are_named(options, sentence):
    with pytest.raises(StudyError, match=sentence):
        synthetic.load(**options)


def test_too_many_patterns_are_refused():
    with pytest.raises(StudyError, match="23 features of 2 values"):
        best_accuracy([0.5] * 23, 2)


def test_picture_draws_every_modality():
    figure = synthetic.picture(synthetic.load(60, 20, 20))
    titles = [ax.get_title() for ax in figure.axes]
    assert {"modality 'a': samples", "modality 'b': class means"} <= set(titles)
    figure.canvas.draw()
