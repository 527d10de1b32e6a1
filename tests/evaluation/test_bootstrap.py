"""Bootstrap intervals: as wide as t-intervals, and the same for one column and for many."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from umt_lib.evaluation.bootstrap import bootstrap, bootstrap_means


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_of_few_samples_it_is_as_wide_as_a_t_interval(level):
    """Without the widening it would be too narrow, by a tenth and more."""
    values = np.array([-1.5, -1.0, -0.7, -0.4, -0.1, 0.1, 0.4, 0.7, 1.0, 1.5])
    found = bootstrap(values[:, None], lambda means: means[..., 0], level=level)
    low, high = stats.t.interval(level, 9, values.mean(), stats.sem(values))
    assert found.high - found.low == pytest.approx(high - low, rel=0.06)


@pytest.mark.parametrize("groups", [None, np.arange(60) // 3])
def test_the_means_of_columns_are_those_of_one_column_each(groups):
    scores = np.random.default_rng(0).random((60, 3))
    many = bootstrap_means(scores, groups)
    assert len(many) == 3
    for column, found in enumerate(many):
        one = bootstrap(scores, lambda means, c=column: means[..., c], groups)
        assert found == pytest.approx(one)
        assert found.n == (60 if groups is None else 20)
