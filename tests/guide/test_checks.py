"""What is refused: one sentence each, with the source, the array and the mend."""

from __future__ import annotations

import guide_cases as cases
import numpy as np
import pytest

from umt_lib.errors import StudyError
from umt_lib.guide.checks import Inputs, checked

FEATURES, Y = cases.noise(100)
A, B = FEATURES["a"], FEATURES["b"]


def check(features=FEATURES, labels=Y, groups=None, folds=5, most=1000, seed=0) -> Inputs:
    return checked(features, labels, groups, folds, most, seed, "mine.npz")


def with_value(value: float) -> np.ndarray:
    changed = A.copy()
    changed[7, 1] = value
    return changed


@pytest.mark.parametrize(
    ("a", "sentence"),
    [
        (
            A[:-1],
            r"'a' has 99 rows for 100 labels; leave it out if it is no modality, or give every",
        ),
        (with_value(np.nan), r"'a' holds NaN, .* first in row 7; repair or drop that sample"),
        (with_value(-np.inf), r"'a' holds NaN, infinity .* in row 7; repair or drop"),
        (with_value(1e31), r"'a' holds .* beyond 1e\+30, first in row 7; repair or drop"),
        (
            A.astype(str),
            r"'a' holds text instead of numbers; leave it out if it is no modality, or encode",
        ),
        (A.astype(object), r"'a' holds Python objects instead of numbers; leave it out"),
        (A.astype(complex), r"'a' holds complex128 instead of numbers; leave it out"),
        (
            A[:, 0],
            r"'a' has shape \(100,\); leave it out .* \(n, d\), for example with x\[:, None\]",
        ),
        (A.reshape(100, 2, 1), r"'a' has shape \(100, 2, 1\); leave .* with x.reshape\(n, -1\)"),
        (np.array(3.0), r"'a' has shape \(\); leave it out if it is no modality, or give"),
        (A[:, :0], r"'a' has no features; leave the modality out"),
        (0 * A + 3, r"'a' is the same for all samples, .*; leave the modality out"),
        (np.ma.masked_equal(A, A[7, 1]), r"'a' has masked values, first in row 7; fill them in or"),
        (np.ma.masked, r"'a' has masked values, first in row 0; fill them in or drop that sample"),
        ([[1], [2, 3]], r"'a' is not an array \(.*\); give a NumPy array"),
    ],
)
def test_a_modality_that_would_mislead_is_refused(a, sentence):
    with pytest.raises(StudyError, match=rf"^mine\.npz: {sentence}"):
        check({"a": a, "b": B})


@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (0 * Y, r"all 100 values of 'labels' are '0'; give samples of two classes"),
        (np.arange(100) // 98, r"class '1' of 'labels' has 2 of the 100 .*; gather more"),
        (np.where(np.arange(100) == 3, np.nan, Y), r"'labels' holds .*NaN .* row 3; drop"),
        (np.array([None, *Y[1:]]), r"'labels' holds no value, .* in row 0; drop"),
        (A[:, 0], r"'labels' look continuous: 100 different values from .* np\.digitize\(labels,"),
        (A[:, 0].astype(str), r"'labels' look continuous: 100 different values from .*; the guide"),
        (np.eye(2)[Y], r"'labels' has shape \(100, 2\); give one value per sample"),
        (np.ma.masked_where(np.arange(100) == 3, Y), r"'labels' has masked .* row 3; fill them in"),
        (Y[:0], r"'labels' is empty; give one value per sample"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(labels, sentence):
    with pytest.raises(StudyError, match=rf"^mine\.npz: {sentence}"):
        check(labels=labels)


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        (np.arange(99), r"'groups' has 99 rows for 100 labels; give one each"),
        (np.arange(100) % 2, r"'groups' names 2 group\(s\), .*; give samples from more groups"),
        (np.where(Y, 9, np.arange(100) % 5), r"class '1' of 'labels' .* 1 of 6 'groups', .*; give"),
        (np.eye(100), r"'groups' has shape \(100, 100\); give one value per sample"),
    ],
)
def test_groups_that_leave_a_class_out_are_refused(groups, sentence):
    with pytest.raises(StudyError, match=rf"^mine\.npz: {sentence}"):
        check(groups=groups)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"features": {"a": A}}, r"mine\.npz: 1 modality given \(a\); .* give two or more"),
        ({"features": {}}, r"mine\.npz: 0 modality given \(none\)"),
        (
            {"features": [A, B]},
            r"mine\.npz: 'features' is of type list; give a dictionary with the",
        ),
        ({"features": A}, r"mine\.npz: 'features' is of type ndarray; give a dictionary with the"),
        ({"folds": 1}, r"folds is 1; give 2 or more"),
        ({"seed": -1}, r"seed is -1; give a whole number"),
        ({"seed": 2**32}, r"seed is 4294967296; give a whole number"),
        ({"most": 0}, r"max_samples is 0; give how many"),
    ],
)
def test_options_without_an_answer_are_refused(options, sentence):
    with pytest.raises(StudyError, match=sentence):
        check(**options)


def test_names_of_modalities_become_text():
    assert list(check({0: A, 1: B}).features) == ["0", "1"]


def test_a_masked_array_without_masked_values_is_an_array():
    inputs = check({"a": np.ma.masked_array(A), "b": B}, np.ma.masked_equal(Y, 9))
    assert type(inputs.features["a"]) is np.ndarray
    assert (inputs.features["a"] == A).all()
    assert (inputs.y == Y).all()


def test_a_draw_keeps_the_shares_of_the_classes_for_any_size():
    labels = np.repeat(["rare", "often"], [30, 90])
    features = {m: np.random.default_rng(0).normal(size=(120, 1)) for m in "ab"}
    for most in (119, 117, 60, 43):
        drawn = check(features, labels, most=most)
        assert len(drawn.y) == most
        assert drawn.given == 120
        assert abs((drawn.y == 1).sum() - most / 4) <= 1
    assert check(features, labels, most=60, seed=1).features["a"].tolist() != (
        check(features, labels, most=60).features["a"].tolist()
    )


def test_any_labels_and_groups_become_numbers_from_zero():
    inputs = check(labels=np.array([-2.5, 4.0])[Y], groups=np.array(list("pqrs") * 25), folds=9)
    assert inputs.classes == ("-2.5", "4.0")
    assert (inputs.y == Y).all()
    assert set(inputs.groups) == {0, 1, 2, 3}
    assert inputs.folds == 4  # as many as there are groups


def test_text_may_name_classes_that_look_like_a_quantity():
    values = np.linspace(0.5, 6.5, 13)[np.arange(260) % 13]
    features = {m: np.random.default_rng(0).normal(size=(260, 2)) for m in "ab"}
    with pytest.raises(StudyError, match=r"continuous: 13 .* or give labels as text if each value"):
        check(features, values)
    assert len(check(features, values.astype(str)).classes) == 13
    assert len(check(features, np.arange(260) % 13).classes) == 13


def test_more_samples_are_used_where_only_a_few_were_drawn():
    y, late = np.arange(100) % 2, np.arange(100) // 2 - 46
    for changed, sentence in (
        ({"most": 3}, r"of the 3 .*; use a larger max_samples \(--max-samples\), or leave"),
        ({"groups": late.clip(0)}, r"'groups' names 1 group\(s\), .*; use a larger max_samples"),
        ({"groups": np.where(y, late.clip(0), late % 9)}, r" in 1 of .*; use a larger max_samples"),
    ):
        with pytest.raises(StudyError, match=sentence):
            check(**{"labels": y, "folds": 2, "most": 8} | changed)
    with pytest.raises(StudyError, match=r"of the 100 .*; gather more, use fewer folds or leave"):
        check(folds=50, most=3)


def test_fewer_folds_are_proposed_only_where_they_help():
    for n, folds, proposed in ((9, 5, True), (3, 5, False), (3, 2, False)):
        with pytest.raises(StudyError) as refusal:
            check({"a": A[: 50 + n], "b": B[: 50 + n]}, np.repeat(["x", "y"], [50, n]), folds=folds)
        assert ("use fewer folds" in str(refusal.value)) == proposed
