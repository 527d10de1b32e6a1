"""Holm's correction against values of R, p-values against SciPy's paired test."""

import numpy as np
import pytest
from scipy import stats

from umt_lib.evaluation.corrections import holm
from umt_lib.evaluation.intervals import p_value, t_interval


def test_holm_is_p_adjust_of_r():
    given = [0.01, 0.02, 0.03, 0.04, 0.05]
    assert holm(given) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])  # R: p.adjust(., "holm")
    assert holm([0.6, 0.001, 0.5]) == pytest.approx([1, 0.003, 1])
    assert holm([]).tolist() == []
    assert holm([0.04]) == pytest.approx([0.04])


def test_holm_keeps_the_order_of_what_it_was_given():
    shuffled = [0.04, 0.01, 0.05, 0.02, 0.03]
    assert holm(shuffled) == pytest.approx([0.09, 0.05, 0.09, 0.08, 0.09])


def test_of_many_true_null_hypotheses_holm_rejects_one_in_twenty_families():
    """Without a correction nearly every family of 50 has a false claim."""
    rng = np.random.default_rng(0)
    families = [
        np.array([p_value(t_interval(row)) for row in rng.normal(size=(50, 5))]) for _ in range(200)
    ]
    assert np.mean([(p < 0.05).any() for p in families]) > 0.8
    assert np.mean([(holm(p) < 0.05).any() for p in families]) < 0.1


def test_the_p_value_of_an_interval_is_that_of_the_paired_t_test():
    a, b = [0.8, 0.82, 0.85, 0.79, 0.81], [0.79, 0.8, 0.86, 0.75, 0.8]
    found = p_value(t_interval(np.subtract(a, b)))
    assert found == pytest.approx(stats.ttest_rel(a, b).pvalue)


@pytest.mark.parametrize("shift", [-0.02, 0.0, 0.0191, 0.0192, 0.03])
def test_p_is_below_5_percent_exactly_if_the_interval_excludes_0(shift):
    gain = t_interval([shift - 0.01, shift + 0.01, shift, shift + 0.02, shift - 0.02])
    assert (p_value(gain) < 0.05) == (not gain.contains_zero)


def test_p_values_without_spread():
    assert p_value(t_interval([0.5])) == 1  # one seed tests nothing
    assert p_value(t_interval([0.0, 0.0])) == 1
    assert p_value(t_interval([0.25, 0.25])) == 0
