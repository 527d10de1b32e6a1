"""LFM: features find their counterparts first, labels are fitted more and more."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cosine_similarity, normalize

from umt_lib.errors import StudyError
from umt_lib.losses import info_nce


def test_no_share_of_alignment_is_joint_training():
    bench = Bench(epochs=3, samples=60)
    assert bench.alike(method("lfm", most=0.0, least=0.0), method("joint"))


def test_the_share_falls_exponentially_between_its_bounds():
    lfm, model = method("lfm", rate=0.5), Bench().make()
    shares = []
    for epoch in range(10):
        lfm.on_epoch(model, epoch, 10)
        shares.append(lfm.share)
    assert shares[0] == 0.95
    assert shares[1:5] == [math.exp(-0.5 * t) for t in range(1, 5)]
    assert shares[-1] == 0.05


def test_alignment_is_the_contrastive_loss_and_the_head_gets_no_gradient_of_it():
    bench, lfm = Bench(), method("lfm", most=1.0)
    model, batch = bench.start(lfm), bench.batch()
    lfm.on_epoch(model, 0, 4)
    out = model(batch.x)
    loss = lfm.loss(out, batch)
    a, b = out.features.values()
    alike = cosine_similarity(a[:, None], b[None], 2) / 0.1
    rows = -(alike.log_softmax(1).diag().mean() + alike.T.log_softmax(1).diag().mean()) / 2
    torch.testing.assert_close(loss, rows)
    loss.backward()
    assert not any(p.grad.any() for p in model.head.parameters())
    assert all(p.grad.any() for p in model.encoders.parameters())


def test_features_of_a_sample_come_together():
    bench = Bench(epochs=6)

    def gap(**options) -> float:
        """How much more alike features of one sample are than those of two."""
        model, _ = bench.train(method("lfm", **options))
        a, b = model(bench.splits.test.x).features.values()
        alike = cosine_similarity(a[:, None], b[None], 2)
        return (alike.diag().mean() - alike.mean()).item()

    assert gap(rate=0.0) > gap(most=0.0, least=0.0) + 0.1


def test_encoders_of_different_widths_are_refused():
    made = Bench().make()
    made.encoders["b"].dim = 7
    with pytest.raises(StudyError, match=r"'lfm' compares.*'a': 6, 'b': 7.*same width"):
        method("lfm").build(lambda **_: made, {})


def test_of_three_modalities_the_alignment_is_the_mean_over_pairs():
    bench, lfm = Bench(("a", "b", "c")), method("lfm", most=1.0)
    model, batch = bench.start(lfm), bench.batch()
    lfm.on_epoch(model, 0, 4)
    out = model(batch.x)
    z = [normalize(x) for x in out.features.values()]
    each = [info_nce(u, v, 0.1) for u in z for v in z if u is not v]
    torch.testing.assert_close(lfm.loss(out, batch), torch.stack(each).mean())
