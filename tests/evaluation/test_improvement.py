"""The probability of improvement by hand; the bootstrap draws seeds within tasks."""

import pytest

from umt_lib.evaluation.improvement import probability_of_improvement


def test_by_hand_ties_count_one_half_and_tasks_count_equally():
    a, b = [[0.8, 0.5, 0.6, 0.9], [0.1]], [[0.7, 0.6, 0.6, 0.8], [0.2]]
    found = probability_of_improvement(a, b)
    assert found.mean == pytest.approx((2.5 / 4 + 0) / 2)
    assert found.n == 5
    swapped = probability_of_improvement(b, a)
    assert swapped.mean == pytest.approx(1 - found.mean)
    assert (swapped.low, swapped.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_equal_seeds_are_paired():
    """Better by 1 point for every seed, although seeds differ by 10: not 60% but 100%."""
    b = [0.5, 0.6, 0.7, 0.8, 0.9]
    assert probability_of_improvement([[x + 0.01 for x in b]], [b]).mean == 1


def test_the_bootstrap_is_stratified_by_task():
    """Better for every seed of one task, worse for every seed of the other: nothing varies."""
    found = probability_of_improvement([[1.0] * 5, [0.0] * 5], [[0.5] * 5, [0.5] * 5])
    assert found[:3] == (0.5, 0.5, 0.5)


def test_the_interval_is_that_of_the_binomial_for_one_task():
    wins = [1.0] * 14 + [0.0] * 6
    found = probability_of_improvement([wins], [[0.5] * 20])
    assert found.mean == pytest.approx(0.7)
    error = (0.7 * 0.3 / 20) ** 0.5
    assert found.low == pytest.approx(0.7 - 1.96 * error, abs=0.03)
    assert found.high == pytest.approx(0.7 + 1.96 * error, abs=0.03)


def test_other_seeds_are_refused():
    with pytest.raises(ValueError, match="2 and 3 seeds; give the same"):
        probability_of_improvement([[0.1, 0.2]], [[0.1, 0.2, 0.3]])
