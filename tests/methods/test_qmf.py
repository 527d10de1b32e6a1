"""QMF: confident modalities count for more, and training makes hard samples less confident."""

from __future__ import annotations

import torch
from tiny import Bench, method
from torch.nn import MarginRankingLoss
from torch.nn.functional import cross_entropy

from umt_lib.methods.qmf import confidence, disorder


def test_logits_are_weighted_by_their_log_partition_function():
    bench = Bench(("a", "b", "c"))
    model, batch = bench.start(method("qmf")), bench.batch()
    out = model(batch.x)
    expected = torch.zeros(12, 3)
    for m, member in model.members.items():
        logits = member(batch.x).fused
        torch.testing.assert_close(out.unimodal[m], logits)
        expected += torch.log(torch.exp(logits).sum(1, keepdim=True)) / 10 * logits
    torch.testing.assert_close(out.fused, expected)


def test_disorder_is_the_ranking_loss_of_the_released_code():
    """``rank_loss`` of text-image-classification/train_qmf.py, on PyTorch's own ranking loss."""
    stream = torch.Generator().manual_seed(0)
    w, k = torch.rand(2, 50, generator=stream)
    k[7] = k[8]  # a tie
    target = torch.sign(k - k.roll(-1))
    gap = (k - k.roll(-1)).abs() / torch.where(target == 0, 1.0, target)
    theirs = MarginRankingLoss(margin=0.0)(w, w.roll(-1) + gap, -target)
    assert theirs > 0.01
    torch.testing.assert_close(disorder(w, k), theirs)


def test_the_loss_is_that_of_all_heads_and_of_the_order_over_epochs():
    """Two passes over the same rows: losses add up, and those of other rows are 0."""
    bench, qmf = Bench(), method("qmf", weight=7.0)
    model, batch = bench.start(qmf), bench.batch(20, 40)
    seen = {m: torch.zeros(150) for m in "ab"}
    for _ in range(2):
        out = model(batch.x)
        expected = cross_entropy(out.fused, batch.y)
        for m, logits in out.unimodal.items():
            seen[m][20:40] += cross_entropy(logits, batch.y, reduction="none").detach()
            k = (seen[m] / seen[m].max())[20:40]
            expected = expected + cross_entropy(logits, batch.y)
            expected = expected + 7.0 * disorder(confidence(logits), k)
        loss = qmf.loss(out, batch)
        torch.testing.assert_close(loss, expected)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.5 * p.grad
        model.zero_grad()


def test_the_order_changes_the_training_and_weight_0_leaves_the_cross_entropies():
    bench = Bench(epochs=3)
    assert not bench.alike(method("qmf", weight=3.0), method("qmf", weight=0.0))
    model, batch = bench.start(method("qmf", weight=0.0)), bench.batch()
    out = model(batch.x)
    plain = cross_entropy(out.fused, batch.y)
    for logits in out.unimodal.values():
        plain = plain + cross_entropy(logits, batch.y)
    qmf = method("qmf", weight=0.0)
    bench.start(qmf)
    torch.testing.assert_close(qmf.loss(out, batch), plain)


def test_less_disorder_after_training_for_it():
    """On the training split, with the losses that were seen: what R is about."""
    found = []
    for weight in (0.0, 30.0):
        bench, qmf = Bench(epochs=8), method("qmf", weight=weight)
        model, _ = bench.train(qmf)
        train = bench.splits.train
        with torch.no_grad():
            logits = model.eval()(train.x).unimodal["a"]
        low, high = qmf.hard["a"].aminmax()
        found.append(disorder(confidence(logits), (qmf.hard["a"] - low) / (high - low)).item())
    assert found[1] < 0.7 * found[0]
