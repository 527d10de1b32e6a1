"""McNemar's test over groups: its equation, and its level where samples of a group are alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from umt_lib.evaluation.mcnemar import mcnemar

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.random(200) < 0.8, RNG.random(200) < 0.65


def test_with_one_sample_per_group_it_is_mcnemars_test():
    only_first, only_second = int((FIRST & ~SECOND).sum()), int((SECOND & ~FIRST).sum())
    chi2 = 199 / 200 * (only_first - only_second) ** 2 / (only_first + only_second)
    found = mcnemar(FIRST, SECOND, np.arange(200))
    assert found == pytest.approx(stats.chi2.sf(chi2, 1))
    assert found == mcnemar(SECOND, FIRST, np.arange(200))


def test_copies_of_samples_add_nothing():
    once = mcnemar(FIRST, SECOND, np.arange(200))
    copied = [np.repeat(values, 7) for values in (FIRST, SECOND, np.arange(200))]
    assert mcnemar(*copied) == pytest.approx(once)
    assert mcnemar(copied[0], copied[1], np.arange(1400)) < once / 100  # as if independent


def test_models_that_are_right_on_the_same_samples_do_not_differ():
    assert mcnemar(FIRST, FIRST, np.arange(200)) == 1


def test_the_names_of_groups_and_the_order_of_samples_do_not_matter():
    groups = np.arange(200) // 4
    found = mcnemar(FIRST, SECOND, groups)
    order = RNG.permutation(200)
    named = np.array([f"video {g}" for g in groups])
    assert mcnemar(FIRST[order], SECOND[order], named[order]) == pytest.approx(found)


def test_of_equal_models_one_in_twenty_differs_clearly_and_without_groups_many():
    """100 videos of 6 clips each; a model is right on all clips of a video, or on none."""
    groups = np.repeat(np.arange(100), 6)
    p = []
    for seed in range(400):
        rng = np.random.default_rng(seed)
        first, second = (np.repeat(rng.random(100) < 0.8, 6) for _ in "ab")
        p.append([mcnemar(first, second, groups), mcnemar(first, second, np.arange(600))])
    level, ignored = (np.array(p) < 0.05).mean(axis=0)
    assert 0.02 < level < 0.08
    assert ignored > 0.3
