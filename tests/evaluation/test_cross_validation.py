"""Intervals of repeated cross-validation: by hand, and their coverage on simulated samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from umt_lib.errors import StudyError
from umt_lib.evaluation.cross_validation import resampled_interval
from umt_lib.evaluation.intervals import p_value, t_interval

FOLDS, REPEATS, SAMPLES = 5, 10, 200


def test_the_variance_is_that_of_nadeau_and_bengio():
    values = np.array([0.1, 0.2, 0.6, 0.3, 0.4, 0.2])
    found = resampled_interval(values, folds=3)
    error = np.sqrt((1 / 6 + 1 / 2) * values.var(ddof=1))
    assert found.mean == pytest.approx(0.3)
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 5) * error)
    assert p_value(found) == pytest.approx(2 * stats.t.sf(0.3 / error, 5))


def folds_of(correct: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Accuracies of the folds of every repeat, of a classifier that is right on these samples."""
    repeats = [rng.permutation(correct).reshape(FOLDS, -1).mean(axis=1) for _ in range(REPEATS)]
    return np.concatenate(repeats)


def test_repeats_are_no_new_samples():
    """The uncorrected interval misses the true accuracy far too often, the corrected one does not.

    The classifier is the same in all folds, so that only the sample of clips varies.
    """
    rng, true, missed = np.random.default_rng(0), 0.6, {"corrected": 0, "plain": 0}
    for _ in range(400):
        accuracies = folds_of(rng.random(SAMPLES) < true, rng)
        for name, found in (
            ("corrected", resampled_interval(accuracies, FOLDS)),
            ("plain", t_interval(accuracies)),
        ):
            missed[name] += not found.low <= true <= found.high
    assert missed["corrected"] <= 28  # 7% of 400
    assert missed["plain"] > 100


@pytest.mark.parametrize(("values", "folds"), [([0.1, 0.2, 0.3], 2), ([], 2), ([0.1], 1)])
def test_incomplete_repeats_are_refused(values, folds):
    with pytest.raises(StudyError, match="give one value for each of 2 or more folds"):
        resampled_interval(values, folds)
