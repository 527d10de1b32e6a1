"""Rows that repeat are found before anything is fitted, and nothing else is taken for a copy."""

from __future__ import annotations

import sys

import guide_cases as cases
import numpy as np
import pytest
from sklearn.datasets import load_digits

from umt_lib.errors import StudyError
from umt_lib.guide import recommend, report
from umt_lib.guide.checks import Inputs, checked
from umt_lib.guide.copies import find


@pytest.fixture(autouse=True)
def once(monkeypatch):
    """One cross-validation, also near a border: repeats have tests of their own."""
    monkeypatch.setattr(sys.modules["umt_lib.guide.recommend"], "REPEATS", 1)


def check(features, labels, groups=None, folds=3) -> Inputs:
    return checked(features, labels, groups, folds, 20_000, 0, "mine.npz")


def clips(copies: int, change: float, n: int = 100) -> cases.Case:
    """Noise of n clips, several crops of each: only copies tell the label."""
    rng = np.random.default_rng(0)
    whole = {m: rng.normal(size=(n, 40)) for m in "ab"}
    crops = {
        m: np.concatenate([x + change * rng.normal(size=x.shape) for _ in range(copies)])
        for m, x in whole.items()
    }
    return crops, np.tile(rng.integers(2, size=n), copies)


@pytest.mark.parametrize("change", [0.0, 0.02, 0.2])
def test_copies_become_one_group(change):
    inputs = check(*clips(3, change))
    assert inputs.copies.rows == 300
    assert inputs.copies.exact == (change == 0)
    assert not inputs.grouped
    groups = inputs.groups.reshape(3, 100)
    assert (groups == groups[0]).all()
    assert len(set(groups[0].tolist())) == 100


def test_copies_give_nothing_away_and_the_report_says_so_first():
    features, labels = clips(3, 0.0)
    found = recommend(features, labels, folds=2)
    assert found.cheapest == "most frequent class"
    assert found.verdict == "no clear winner"
    assert found.competitors["UME best rule"].accuracy.mean < 0.65  # with copies apart 0.9
    assert found.warnings[0].startswith("300 rows repeat: they are the same in every modality")
    assert "rows 0 and 100 (the first is 0)" in found.warnings[0]
    page = report.page(found)
    assert page.index("300 rows repeat") < page.index("Verdict")


def test_copies_join_the_groups_they_lie_in():
    features, labels = clips(2, 0.02)
    person = np.arange(100) // 2  # two clips each
    apart = check(features, labels, np.concatenate([person, person + 50]))
    assert apart.grouped
    assert (apart.groups[:100] == apart.groups[100:]).all()
    assert len(set(apart.groups.tolist())) == 50
    together = check(features, labels, np.tile(person, 2))
    assert together.copies is None


@pytest.mark.parametrize("change", [0.0, 0.02])
def test_copies_with_other_labels_are_refused(change):
    features, labels = clips(2, change)
    labels[107] = 1 - labels[7]
    sentence = r"^mine\.npz: rows 7 and 107 .* are (nearly )?the same .* labels are '\d' and '\d'; "
    with pytest.raises(StudyError, match=sentence) as refusal:
        check(features, labels)
    assert ("nearly" in str(refusal.value)) == (change > 0)


def test_few_groups_that_are_left_are_explained():
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.arange(8).repeat(3), np.arange(8, 38)])  # class 1: rows 6 and 7
    labels = np.isin(rows, (6, 7)).astype(int)
    features = {m: rng.normal(size=(38, 3))[rows] for m in "ab"}
    sentence = r"mine\.npz \(rows that repeat are taken as one group\): class '1' .* occurs in 2 of"
    with pytest.raises(StudyError, match=sentence):
        check(features, labels, folds=2)


def test_equal_rows_of_a_few_sources_are_copies_unless_they_are_codes():
    rng = np.random.default_rng(0)
    source = np.arange(200) % 10  # five sources of each class, 20 equal rows of each
    features = {m: rng.normal(size=(10, 6))[source] for m in "ab"}
    assert len(set(check(features, source % 2).groups.tolist())) == 10
    codes = {m: np.sign(x) for m, x in features.items()}
    assert check(codes, source % 2).copies is None


def spread_out(kind: str, seed: int) -> cases.Case:
    """Data without copies that resemble them in some way."""
    rng = np.random.default_rng(seed)
    y = rng.integers(5, size=500)
    if kind == "few values":  # rows repeat by chance
        return {m: rng.choice([-1, 1], size=(500, 2)) for m in "ab"}, y
    if kind == "classes":  # far closer within a class than between classes
        return {m: np.eye(5)[y] + 0.01 * rng.normal(size=(500, 5)) for m in "ab"}, y
    if kind == "one latent":  # both modalities depend on one number
        z = rng.normal(size=(500, 1))
        return {"a": z, "b": z + 0.01 * rng.normal(size=z.shape)}, (z[:, 0] > 0).astype(int)
    if kind == "one modality":  # the same picture with several sounds
        return {
            "a": rng.normal(size=(50, 8))[np.arange(500) % 50],
            "b": rng.normal(size=(500, 8)),
        }, y
    if kind == "digits":
        images, y = load_digits(return_X_y=True)
        return {"left": images[:, :32], "right": images[:, 32:]}, y
    return getattr(cases, kind)(240, seed=seed)


@pytest.mark.parametrize(
    "kind",
    [
        "few values",
        "classes",
        "one latent",
        "one modality",
        "digits",
        "additive",
        "shared_noise",
        "xor",
        "noise",
    ],
)
def test_what_only_resembles_copies_is_left_alone(kind):
    for seed in range(3):
        assert check(*spread_out(kind, seed)).copies is None


def test_samples_of_the_same_few_pictures_are_no_copies():
    """Two pictures a modality, drawn anew for each sample; equal samples have different labels."""
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(2, 30, 6))  # of each modality
    y = rng.integers(2, size=600)
    shown = [
        np.where(rng.random(600) < 0.7, y, 1 - y) * 15 + rng.integers(15, size=600) for _ in "ab"
    ]
    x = [pictures[m][drawn] for m, drawn in enumerate(shown)]
    assert len({tuple(pair) for pair in zip(*shown, strict=True)}) < 500  # many samples are equal
    assert find(x, y, None) is None
