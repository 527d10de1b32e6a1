"""Digit-halves are the halves of one image each, with every form in one split."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from umt_lib.data import load
from umt_lib.data.digit_halves import FORMS
from umt_lib.errors import StudyError

PARTS = ("train", "validation", "test")
DIGITS = load_digits()
ROW_OF = {(i / 16).astype(np.float32).tobytes(): n for n, i in enumerate(DIGITS.images)}


def rows(split):
    """The row of the data set that each sample is made of, found by the pixels of both halves."""
    whole = torch.cat([split.x["left"], split.x["right"]], dim=3)[:, 0].numpy()
    return [ROW_OF[image.tobytes()] for image in whole]


@pytest.mark.parametrize("fold", range(5))
def test_both_halves_and_the_label_are_of_one_image(fold):
    splits = load("digit-halves", fold=fold)
    assert splits.shapes == {"left": (1, 8, 4), "right": (1, 8, 4)}
    assert splits.train.x["left"].dtype == torch.float32
    found = []
    for part in PARTS:
        split = getattr(splits, part)
        assert np.array_equal(DIGITS.target[rows(split)], split.y.numpy())
        found += rows(split)
    assert sorted(found) == list(range(1797))


def test_over_the_folds_every_image_is_tested_once():
    tested = [row for fold in range(5) for row in rows(load("digit-halves", fold=fold).test)]
    assert sorted(tested) == list(range(1797))


def test_a_form_begins_with_the_ten_digits_in_order():
    for start in FORMS:  # one form lacks its first 0
        first = "".join(map(str, DIGITS.target[start : start + 15])).removeprefix("0")
        assert "12345678901234567".startswith(first)
    sizes = np.diff([*FORMS, len(DIGITS.target)])
    assert sizes.min() >= 120
    assert sizes.max() <= 130


def test_a_form_is_in_one_split():
    splits = load("digit-halves", fold=2)
    forms = [set(getattr(splits, part).groups) for part in PARTS]
    assert sum(map(len, forms)) == len(set().union(*forms)) == len(FORMS)
    for part in PARTS:
        split = getattr(splits, part)
        expected = np.searchsorted(FORMS, rows(split), side="right") - 1
        assert np.array_equal(split.groups, expected)


def test_a_fold_out_of_range_is_named():
    with pytest.raises(StudyError, match="fold is 5; give 0 to 4"):
        load("digit-halves", fold=5)
