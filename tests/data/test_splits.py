import numpy as np
import pytest
import torch

from umt_lib.data.splits import Split, Splits, check, holdout
from umt_lib.errors import StudyError


def part(n=12, classes=3, groups=None):
    y = torch.arange(n) % classes
    x = {"a": torch.ones(n, 2), "b": torch.ones(n, 3, 4)}
    return Split(x, y, None if groups is None else np.full(n, groups))


def splits(**changed):
    return Splits(**{"train": part(), "validation": part(), "test": part(), **changed}, classes=ABC)


ABC = ("x", "y", "z")


def test_good_splits_pass_unchanged():
    good = splits(train=part(groups=1), validation=part(groups=2), test=part(groups=3))
    assert check(good, "toy") is good
    assert good.modalities == ("a", "b")
    assert good.shapes == {"a": (2,), "b": (3, 4)}


def fewer_rows():
    return splits(test=Split({"a": torch.ones(11, 2), "b": torch.ones(12, 3, 4)}, part().y))


def not_finite(value):
    bad = part()
    bad.x["b"][7, 0, 1] = value
    return splits(validation=bad)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (fewer_rows(), r"'toy', test: modality 'a' has 11 rows for 12 labels"),
        (not_finite(float("nan")), r"'toy', validation: modality 'b' holds NaN.* in row 7"),
        (not_finite(-float("inf")), r"'toy', validation: modality 'b' holds NaN.* in row 7"),
        (
            splits(train=Split({"a": torch.ones(12, 2)}, part().y)),
            r"'toy' has the modalities \['a'\]",
        ),
        (
            splits(test=Split({"a": torch.ones(12, 2)}, part().y)),
            r"test: the modalities are \['a'\]",
        ),
        (
            splits(test=Split({**part().x, "a": np.ones((12, 2))}, part().y)),
            "'a' is a ndarray; give a tensor",
        ),
        (splits(test=Split(part().x, part().y.float())), "labels are no tensor"),
        (splits(train=part(classes=4)), r"'toy', train: label 3 is outside 0\.\.2"),
        (splits(test=part(classes=2)), r"'toy', test: no sample of class 'z'"),
        (
            splits(train=part(groups="eve"), test=part(groups="eve")),
            r"group 'eve' is in train and in test",
        ),
    ],
)
def test_each_fault_has_its_sentence(bad, sentence):
    with pytest.raises(StudyError, match=sentence):
        check(bad, "toy")


def test_take_keeps_rows_together_and_in_order():
    y = torch.tensor([0, 1, 2, 0])
    split = Split({"a": torch.arange(4.0)[:, None]}, y, np.array([5, 6, 7, 8]))
    taken = split.take([3, 1])
    assert taken.x["a"][:, 0].tolist() == [3, 1]
    assert taken.y.tolist() == [0, 1]
    assert taken.groups.tolist() == [8, 6]


def numbered(n=120, groups=None):
    """Classes in the ratio 1 : 2 : 3, and each row holds its own number."""
    y = torch.tensor([0, 1, 1, 2, 2, 2]).repeat(n // 6)
    return Split({"a": torch.arange(n)[:, None]}, y, groups)


def rows(split):
    return split.x["a"][:, 0].tolist()


def test_holdout_is_a_stratified_partition():
    rest, held = holdout(numbered(), 0.1)
    assert sorted(rows(rest) + rows(held)) == list(range(120))
    assert torch.bincount(held.y).tolist() == [2, 4, 6]


def test_holdout_repeats_and_moves_with_its_seed():
    assert rows(holdout(numbered(), 0.2)[1]) == rows(holdout(numbered(), 0.2)[1])
    assert rows(holdout(numbered(), 0.2)[1]) != rows(holdout(numbered(), 0.2, seed=1)[1])


@pytest.mark.parametrize("people", [4, 20])
def test_holdout_never_divides_a_group(people):
    rest, held = holdout(numbered(groups=np.arange(120) // 6 % people), 0.1)
    assert set(rest.groups).isdisjoint(held.groups)
    assert set(rest.groups) | set(held.groups) == set(range(people))
    assert len(held) == max(12, 120 // people)  # a tenth, or one whole group
    assert set(held.y.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("fraction", [0, 0.7, -0.1])
def test_holdout_refuses_a_fraction_it_cannot_cut(fraction):
    with pytest.raises(StudyError, match=rf"fraction of {fraction}"):
        holdout(numbered(), fraction)


def test_holdout_refuses_a_single_group():
    with pytest.raises(StudyError, match="single group"):
        holdout(numbered(groups=np.zeros(120)), 0.1)
