"""Frozen uni-modal encoders: the head alone learns, and nothing else moves."""

import pytest
import torch
from tiny import Bench, jitter, method, same

from umt_lib import models


@pytest.mark.parametrize("augment", [None, jitter], ids=["as it is", "augmented"])
def test_encoders_do_not_change_batch_statistics_included(augment):
    bench = Bench(encoder="series-cnn", epochs=3, samples=60, augment=augment)
    fresh_head = bench.start(method("frozen")).head.state_dict()
    model, progress = bench.train(method("frozen"))
    for m, teacher in bench.teachers().items():
        state = teacher.encoders[m].state_dict()
        assert any("running_mean" in name for name in state)
        assert same(model.encoders[m].state_dict(), state)
    assert not same(model.head.state_dict(), fresh_head)
    assert progress.epoch == 3


def test_the_head_alone_gets_gradients_and_the_same_as_without_freezing():
    bench = Bench()
    frozen = bench.gradients(method("frozen"))
    tuned = bench.gradients(method("unimodal-init"))
    assert all(name.startswith("head.") for name in frozen)
    assert frozen.keys() == {name for name in tuned if name.startswith("head.")}
    assert all(torch.equal(gradient, tuned[name]) for name, gradient in frozen.items())


@pytest.mark.parametrize("head", ["linear", "mlp", "attention"])
def test_it_is_training_the_head_on_the_teachers_features(head):
    bench, frozen = Bench(encoder="series-cnn", epochs=1, samples=40, head=head), method("frozen")
    model, batch = bench.start(frozen), bench.batch()
    model.train()
    dims = {m: encoder.dim for m, encoder in model.encoders.items()}
    alone = models.HEADS[head](dims, 3)
    alone.load_state_dict(model.head.state_dict())
    features = {m: t(batch.x).features[m] for m, t in bench.teachers().items()}
    lone = models.LateFusion({}, alone)
    for _ in range(3):
        frozen.step(model, torch.optim.SGD(model.head.parameters(), 0.1), batch)
        optimizer = torch.optim.SGD(alone.parameters(), 0.1)
        optimizer.zero_grad()
        frozen.loss(lone.fuse(features), batch).backward()
        optimizer.step()
    assert same(model.head.state_dict(), alone.state_dict())
