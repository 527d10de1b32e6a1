import numpy as np
import pytest
import torch
from worlds import classified, cramers_v, decoded

from umt_lib.data import graded_pairs, synthetic
from umt_lib.data.generated import additive_fit
from umt_lib.data.graded_pairs import bayes, distribution
from umt_lib.errors import StudyError

DIALS = {"classes": 3, "uni_a": (0.3,), "uni_b": (0.5,), "paired": (0.8,)}
LEAKS = (0.0, 0.25, 1.0)


def drawn(leak: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and the values of the uni-modal feature and the part of the pair in a and b."""
    options = {**DIALS, "leak": leak, "noise": 0.2}
    train = graded_pairs.load(60_000, 100, 100, **options).train
    values = decoded(train.x, {"a": 2, "b": 2}, 3)
    return train.y.numpy(), values["a"], values["b"]


def test_without_a_leak_it_is_synthetic_bit_for_bit():
    options = {"uni_a": (0.5, 0.4), "uni_b": (0.3,), "paired": (0.7, 0.2), "noise": 0.4}
    options |= {"scale_b": 0.3, "data_seed": 3, "fold": 1}
    for classes in (2, 3, 8):
        mine = graded_pairs.load(classes=classes, leak=0.0, **options)
        other = synthetic.load(classes=classes, **options)
        for part in ("train", "validation", "test"):
            ours, theirs = getattr(mine, part), getattr(other, part)
            assert torch.equal(ours.y, theirs.y)
            assert all(torch.equal(ours.x[m], theirs.x[m]) for m in "ab")


@pytest.mark.parametrize("leak", LEAKS)
def test_a_part_alone_has_reliability_leak_times_p(leak):
    y, *sides = drawn(leak)
    for part in (side[:, -1] for side in sides):
        right = (2 * part % 3 == y).mean()  # h(s) + h(s) = s
        assert right == pytest.approx(leak * 0.8 + (1 - leak * 0.8) / 3, abs=0.01)
        assert cramers_v(y, part) == pytest.approx(leak * 0.8, abs=0.012)


@pytest.mark.parametrize("leak", LEAKS)
def test_both_parts_have_reliability_p_whatever_leaks(leak):
    y, a, b = drawn(leak)
    assert ((a + b)[:, -1] % 3 == y).mean() == pytest.approx(0.8 + 0.2 / 3, abs=0.01)
    every = synthetic.best_accuracy((0.3, 0.5, 0.8), 3)
    assert bayes(**DIALS, leak=leak)["all"] == pytest.approx(every)


@pytest.mark.parametrize("leak", LEAKS)
def test_bayes_is_the_accuracy_of_the_true_posteriors_on_samples(leak):
    y, a, b = drawn(leak)
    joint = distribution(**DIALS, leak=leak)
    reached = classified(joint, y, *(np.ravel_multi_index(v.T, (3, 3)) for v in (a, b)))
    assert reached == pytest.approx(bayes(**DIALS, leak=leak), abs=0.008)


def test_what_is_additive_grows_with_the_leak_until_nothing_is_paired():
    limits = [additive_fit(distribution(**DIALS, leak=leak)) for leak in (0.0, 0.3, 0.6, 1.0)]
    assert limits == sorted(limits)
    assert limits[-1] - limits[0] > 0.1
    start, end = (bayes(**DIALS, leak=leak) for leak in (0.0, 1.0))
    assert limits[0] == pytest.approx(start["additive"])
    assert limits[-1] == pytest.approx(end["all"], abs=1e-6)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"leak": 1.5}, "leak has 1.5, which is outside 0..1"),
        ({"uni_a": (0.2, -0.5)}, "uni_a has -0.5"),
        ({"classes": 4}, "classes is 4, an even number, and leak is 0.2"),
        ({"classes": 9}, "classes is 9; give 2 to 8"),
        ({"uni_b": (), "paired": ()}, "modality 'b' has no feature"),
    ],
)
def test_bad_options_are_named(options, sentence):
    for function in (graded_pairs.load, bayes):
        with pytest.raises(StudyError, match=sentence):
            function(**options)


def test_too_many_patterns_are_refused():
    with pytest.raises(StudyError, match="patterns of features are too many to enumerate"):
        bayes(uni_a=(0.3,) * 12)
