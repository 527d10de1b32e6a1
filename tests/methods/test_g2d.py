"""G2D: UMT, predictions distilled as well, and one encoder at a time to begin with."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import kl_div


def test_nothing_distilled_and_nobody_leading_is_joint_training():
    bench = Bench(epochs=3, samples=60)
    assert bench.alike(method("g2d", weight=0.0, predictions=0.0, lead=0.0), method("joint"))


def test_features_alone_distilled_is_umt():
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    assert bench.alike(method("g2d", predictions=0.0, lead=0.0), method("umt"))


def test_predictions_pull_the_fused_logits_towards_each_teacher():
    bench, g2d = Bench(), method("g2d", weight=0.0, predictions=2.0)
    model, batch = bench.start(g2d), bench.batch()
    out = model(batch.x)
    added = g2d.loss(out, batch) - method("joint").loss(out, batch)
    far = sum(
        kl_div(out.fused.log_softmax(1), t(batch.x).fused.softmax(1), reduction="batchmean")
        for t in bench.teachers().values()
    )
    torch.testing.assert_close(added, 2 * far)
    assert far > 0.01


def test_the_encoder_whose_teacher_is_less_sure_leads_and_then_all_learn():
    bench, g2d = Bench(), method("g2d", lead=0.5)
    model, batch = bench.start(g2d), bench.batch()
    sure = {
        m: t(batch.x).fused.softmax(1)[torch.arange(12), batch.y].mean().item()
        for m, t in bench.teachers().items()
    }
    weaker, stronger = sorted(sure, key=sure.__getitem__)
    assert g2d.weakest_first(batch) == [weaker, stronger]
    for epoch, held in ((0, True), (9, True), (10, False), (19, False)):
        model.zero_grad()
        g2d.on_epoch(model, epoch, 20)
        g2d.backward(model, model(batch.x), batch)
        assert all(p.grad.any() for p in model.encoders[weaker].parameters())
        assert any(p.grad.any() for p in model.encoders[stronger].parameters()) != held
        assert all(p.grad.any() for p in model.head.parameters())


@pytest.mark.parametrize("name", ["features of the teachers kept", "computed anew"])
def test_the_ranking_is_that_of_the_batch(name):
    bench, g2d = Bench(("a", "b", "c")), method("g2d", lead=1.0)
    bench.start(g2d)
    if name == "computed anew":
        g2d.cache = None
    orders = {tuple(g2d.weakest_first(bench.batch(i, i + 3))) for i in range(0, 60, 3)}
    assert len(orders) > 2
    turns = []
    for epoch in range(4):
        g2d.on_epoch(bench.start(method("joint")), epoch, 4)
        turns.append(g2d.turn)
    assert turns == [0, 0, 1, 1]  # the strongest of three never leads alone


@pytest.mark.parametrize("turn", [0, 1])
def test_of_three_the_next_to_weakest_leads_in_the_second_turn(turn):
    bench, g2d = Bench(("a", "b", "c")), method("g2d", lead=1.0)
    model, batch = bench.start(g2d), bench.batch()
    g2d.on_epoch(model, 2 * turn, 4)
    g2d.backward(model, model(batch.x), batch)
    learn = [m for m, e in model.encoders.items() if any(p.grad.any() for p in e.parameters())]
    assert learn == [g2d.weakest_first(batch)[turn]]
