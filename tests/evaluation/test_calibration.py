"""Calibration on predictions whose probabilities are known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from umt_lib.evaluation.calibration import fit_temperature, reliability


@pytest.fixture(scope="module")
def calibrated() -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn from their probabilities."""
    torch.manual_seed(0)
    logits = 2 * torch.randn(20_000, 5)
    return logits, torch.multinomial(logits.softmax(1), 1)[:, 0]


def test_calibrated_predictions_have_no_calibration_error(calibrated):
    found = reliability(*calibrated)
    assert found.samples.sum() == 20_000
    assert found.error < 0.012
    many = found.samples > 500
    assert many.sum() > 8
    np.testing.assert_allclose(found.confidence[many], found.accuracy[many], atol=0.03)


@pytest.mark.parametrize(("factor", "sign"), [(3.0, 1), (0.3, -1)])
def test_the_error_is_that_of_confidence_and_has_its_sign_in_the_bins(calibrated, factor, sign):
    logits, y = calibrated
    found = reliability(factor * logits, y)
    confidence = (factor * logits).softmax(1).amax(1).mean().item()
    right = (logits.argmax(1) == y).double().mean().item()
    assert sign * (confidence - right) > 0.1
    assert found.error == pytest.approx(sign * (confidence - right), abs=0.01)


@pytest.mark.parametrize("factor", [0.2, 1.0, 7.0, 60.0])
def test_the_temperature_undoes_a_factor(calibrated, factor):
    logits, y = calibrated
    assert fit_temperature(factor * logits, y) == pytest.approx(factor, rel=0.03)


def test_a_network_that_knows_nothing_gets_uniform_probabilities(calibrated):
    logits, y = calibrated
    wrong = -logits
    assert ((wrong / fit_temperature(wrong, y)).softmax(1) - 0.2).abs().max() < 1e-3


def test_a_certain_prediction_is_in_the_last_bin():
    found = reliability(torch.tensor([[100.0, 0.0], [100.0, 0.0]]), torch.tensor([0, 1]))
    assert found.samples.tolist() == [2]
    assert found.confidence == pytest.approx([1.0])
    assert found.error == pytest.approx(0.5)
