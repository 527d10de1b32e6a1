"""Scores and intervals against values computed by hand or by another road."""

import math

import pytest
import torch
from scipy import stats

from umt_lib.evaluation import intervals, metrics

LOGITS = torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.1, 0.2], [0.0, 3.0, 1.0], [1.0, 0.0, 5.0]])
Y = torch.tensor([0, 1, 1, 2])


def test_accuracy():
    assert metrics.accuracy(LOGITS, Y) == 0.75


def test_nll_by_hand_and_of_logits_that_are_not_normalised():
    expected = -sum(math.log(LOGITS[i].double().softmax(0)[y]) for i, y in enumerate(Y)) / 4
    assert metrics.nll(LOGITS, Y) == pytest.approx(expected)
    assert metrics.nll(LOGITS + 100, Y) == pytest.approx(expected)


def test_t_interval_is_scipys():
    values = [0.71, 0.74, 0.69, 0.8, 0.75]
    found = intervals.t_interval(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found == pytest.approx((sum(values) / 5, low, high, 5))
    assert not found.contains_zero


def test_the_interval_of_accuracies_is_cut_where_no_accuracy_can_be():
    found = intervals.accuracy_interval([1.0, 0.99, 0.96, 1.0])
    assert found.high == 1
    assert found.low == intervals.t_interval([1.0, 0.99, 0.96, 1.0]).low
    assert intervals.accuracy_interval([0.0, 0.01, 0.05]).low == 0
    inside = [0.5, 0.6, 0.55]
    assert intervals.accuracy_interval(inside) == intervals.t_interval(inside)
    assert intervals.accuracy_interval([0.7]) == intervals.t_interval([0.7])  # none to cut


def test_one_seed_says_nothing_about_the_spread():
    found = intervals.t_interval([0.7])
    assert found == (0.7, -math.inf, math.inf, 1)
    one = intervals.welch_interval([0.75], [0.6, 0.8])
    assert one == (pytest.approx(0.05), -math.inf, math.inf, 1)


def test_the_interval_of_a_difference_contains_zero_or_not():
    assert intervals.t_interval([-0.1, 0.2, 0.1, -0.1]).contains_zero
    assert not intervals.t_interval([0.1, 0.11, 0.12]).contains_zero


def test_welch_interval():
    a, b = [0.8, 0.82, 0.85, 0.79], [0.7, 0.74, 0.69, 0.72, 0.9]
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    expected = (sum(a) / 4 - sum(b) / 5, low, high, 4)
    assert intervals.welch_interval(a, b) == pytest.approx(expected)


def test_numbers_without_spread():
    """No division by zero and no warning, though 0.7 three times has a spread of rounding error."""
    assert intervals.welch_interval([0.8, 0.8], [0.8, 0.8]) == (0, 0, 0, 2)
    assert intervals.welch_interval([0.8, 0.8], [0.7, 0.7, 0.7])[:3] == pytest.approx((0.1,) * 3)
    assert intervals.welch_interval([0.8, 0.8], [0.7, 0.75, 0.7]).low > 0


@pytest.mark.parametrize("n", [1, 5, 40])
def test_all_or_none_of_n_has_the_exact_bounds(n):
    bound = 0.025 ** (1 / n)
    assert intervals.proportion_interval(n, n) == pytest.approx((1, bound, 1, n))
    assert intervals.proportion_interval(0, n) == pytest.approx((0, 0, 1 - bound, n))


def test_the_exact_interval_of_a_proportion_by_the_beta_distribution():
    low, high = stats.beta.ppf(0.025, 7, 4), stats.beta.ppf(0.975, 8, 3)
    assert intervals.proportion_interval(7, 10) == pytest.approx((0.7, low, high, 10))
