"""DI-MML: encoders that never see the fused loss, one space for all, a vote."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy

from umt_lib.errors import StudyError
from umt_lib.methods.di_mml import effective


def test_without_interaction_each_encoder_is_trained_as_if_alone():
    bench = Bench()
    di = method("di-mml", align=0.0, contrast=0.0)
    gradients = bench.gradients(di)
    model, batch = bench.start(di), bench.batch()
    out = model(batch.x)
    sum(cross_entropy(own, batch.y) for own in out.auxiliary.values()).backward()
    for name, p in model.encoders.named_parameters():
        torch.testing.assert_close(gradients[f"encoders.{name}"], p.grad)
    assert all(gradients[f"head.{name}"].any() for name, _ in model.head.named_parameters())
    assert not gradients["shared.weight"].any()


def test_the_fused_head_learns_from_features_without_gradient():
    """A head of other weights changes no gradient of an encoder."""
    bench = Bench()
    di = method("di-mml")
    before = bench.gradients(di)
    model, batch = bench.start(di), bench.batch()
    with torch.no_grad():
        for p in model.head.parameters():
            p.mul_(-3)
    di.backward(model, model(batch.x), batch)
    for name, p in model.encoders.named_parameters():
        assert torch.equal(before[f"encoders.{name}"], p.grad)


def test_the_shared_head_trains_every_encoder():
    """By omega times the cross-entropy of each modality's features in the one head."""
    bench = Bench()
    with_head, without = (
        bench.gradients(method("di-mml", align=align, contrast=0.0)) for align in (0.5, 0.0)
    )
    model, batch = bench.start(method("di-mml")), bench.batch()
    z = model(batch.x).features
    (0.5 * sum(cross_entropy(model.shared(z[m]), batch.y) for m in "ab")).backward()
    for name, p in model.named_parameters():
        if name.startswith(("encoders.", "shared.")):
            assert p.grad.any(), name
            before = without.get(name, torch.zeros_like(p))
            torch.testing.assert_close(with_head[name] - before, p.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_the_pull_is_a_softmax_at_a_temperature(temperature):
    """In the dimensions of D; the sample itself is to be found among those of the batch."""
    bench = Bench()
    strong, off = (
        method("di-mml", contrast=mu, temperature=temperature, align=0.0) for mu in (3.0, 0.0)
    )
    model, batch = bench.start(strong), bench.batch()
    bench.start(off)
    strong.effective["b"][[1, 4]] = 1.0
    out = model(batch.x)
    loss, plain = (di.backward(model, model(batch.x), batch).detach() for di in (strong, off))
    similarity = out.features["a"][:, [1, 4]] @ out.features["b"][:, [1, 4]].T / temperature
    chosen = similarity.softmax(1).diagonal()
    empty = math.log(len(batch.y))  # of b from a, which has no effective dimension
    torch.testing.assert_close(loss - plain, 3 * (empty - chosen.log().mean()).detach())


def test_a_modality_is_pulled_where_it_is_of_no_use_and_the_other_is():
    """Only its dimensions of D get a gradient from DUC, and the other's features get none."""
    bench = Bench()
    di = method("di-mml", contrast=1.0)
    model, batch = bench.start(di), bench.batch()
    gradients = {}
    for marked in (False, True):
        if marked:
            di.effective["b"][[1, 4]] = 1.0
            di.effective["a"][4] = 1.0
        out = model(batch.x)
        for z in out.features.values():
            z.retain_grad()
        di.backward(model, out, batch)
        gradients[marked] = {m: z.grad.clone() for m, z in out.features.items()}
        model.zero_grad()
    change = {m: (gradients[True][m] - gradients[False][m]).abs().sum(0) > 1e-7 for m in "ab"}
    assert change["a"].tolist() == [False, True, False, False, False, False]
    assert not change["b"].any()


def test_a_dimension_is_effective_if_it_alone_tells_classes_apart():
    y = torch.arange(90) % 3
    stream = torch.Generator().manual_seed(0)
    z = torch.randn(90, 4, generator=stream)
    z[:, 2] += 5 * y
    assert effective(z, y).tolist() == [False, False, True, False]
    assert effective(z[y != 1], y[y != 1])[2]  # a class may be absent


def test_dimensions_are_looked_at_once_after_the_warm_up():
    bench, di = Bench(epochs=8), method("di-mml", warmup=0.25)
    model = bench.start(di)
    seen = [di.on_epoch(model, epoch, 8) for epoch in range(8)]
    assert seen == [0, 0, len(bench.splits.train), 0, 0, 0, 0, 0]
    assert all(0 < known.sum() < 6 for known in di.effective.values())


def test_the_surer_vote_counts_for_more():
    bench, di = Bench(), method("di-mml")
    out = bench.start(di)(bench.batch().x)
    votes = [*out.auxiliary.values(), out.fused]
    weights = torch.stack([v.softmax(1).amax(1) for v in votes]).softmax(0)
    expected = sum(w[:, None] * v for w, v in zip(weights, votes, strict=True))
    torch.testing.assert_close(di.predict(out), expected)


def test_encoders_of_different_widths_are_refused():
    made = Bench().make(auxiliary=True)
    made.encoders["b"].dim = 7
    with pytest.raises(StudyError, match=r"'di-mml' has a head.*'a': 6, 'b': 7.*same width"):
        method("di-mml").build(lambda **_: made, {})
