"""outputs(): every sample once, in order, in evaluation mode, the model left as it was."""

import torch
from tiny import Bench, same

from umt_lib.models import inference
from umt_lib.models.inference import outputs


def test_batches_make_no_difference_and_no_sample_is_dropped(monkeypatch):
    bench = Bench(encoder="series-cnn", samples=25)
    model = bench.make(auxiliary=True)
    whole = outputs(model, bench.splits.train)
    monkeypatch.setattr(inference, "BATCH", 4)
    parts = outputs(model, bench.splits.train)
    assert parts.fused.shape == (25, 3)
    torch.testing.assert_close(parts.fused, whole.fused)
    for field in ("features", "unimodal", "auxiliary"):
        torch.testing.assert_close(getattr(parts, field), getattr(whole, field))


def test_evaluation_mode_without_gradients_and_back():
    bench = Bench(encoder="series-cnn", samples=25)
    model = bench.make()
    before = {n: t.clone() for n, t in model.state_dict().items()}
    for training in (True, False):
        model.train(training)
        assert not outputs(model, bench.splits.train).fused.requires_grad
        assert model.training == model.encoders["a"].training == training
    assert same(model.state_dict(), before)
