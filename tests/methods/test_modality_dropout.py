"""Modality dropout: at most one modality's feature of a sample is zero, in training only."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_probability_0_is_joint_training(head):
    bench = Bench(encoder="series-cnn", head=head, epochs=3, samples=60)
    assert bench.alike(method("modality-dropout", p=0.0), method("joint"))


@pytest.mark.parametrize("modalities", [2, 3])
def test_one_modality_of_a_sample_is_lost_at_the_probability_given_and_any_of_them(modalities):
    torch.manual_seed(0)
    lost = ~method("modality-dropout", p=0.6).kept(6000, modalities, torch.device("cpu"))[:, :, 0]
    assert set(lost.sum(0).tolist()) == {0, 1}
    for share in lost.float().mean(1):
        assert share.item() == pytest.approx(0.6 / modalities, abs=0.03)


def test_a_dropped_feature_is_zero_and_its_encoder_learns_nothing_from_that_sample():
    bench, dropout = Bench(head="mlp"), method("modality-dropout", p=1.0)
    model, batch = bench.start(dropout), bench.batch()
    out = model(batch.x)
    for z in out.features.values():
        z.retain_grad()
    torch.manual_seed(5)
    loss = dropout.backward(model, out, batch)
    torch.manual_seed(5)
    kept = dropout.kept(12, 2, batch.y.device)
    features = {"a": out.features["a"] * kept[0], "b": out.features["b"] * kept[1]}
    assert torch.equal(loss, cross_entropy(model.fuse(features).fused, batch.y))
    for k, z in zip(kept, out.features.values(), strict=True):
        assert 0 < k.sum() < 12
        assert not z.grad[~k[:, 0]].any()
        assert z.grad[k[:, 0]].any(1).all()
