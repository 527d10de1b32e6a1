"""DUS: the modality that has been ahead so far learns from fewer samples of each batch."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy

from umt_lib.models import Output


def started(**options):
    dus = method("dus", **options)
    Bench(samples=30).start(dus)
    return dus


def told(a: float, b: float, samples: int = 4) -> tuple[Output, torch.Tensor]:
    """An output of two classes in which the own heads give the truth ``a`` and ``b``."""
    logits = {
        m: torch.tensor([[p, 1 - p]]).log().repeat(samples, 1) for m, p in (("a", a), ("b", b))
    }
    return Output({}, torch.zeros(samples, 2), {}, logits), torch.zeros(samples, dtype=torch.long)


@pytest.mark.parametrize("encoder", ["mlp", "series-cnn"])
def test_strength_0_is_joint_training_with_unimodal_cross_entropies(encoder):
    bench = Bench(encoder=encoder, epochs=3, samples=60)
    assert bench.alike(method("dus", strength=0.0), method("joint-auxiliary", weight=1.0))
    assert not bench.alike(method("dus", strength=3.0), method("joint-auxiliary", weight=1.0))


def test_the_score_is_the_mean_over_all_batches():
    dus = started()
    for a, b in ((0.9, 0.2), (0.5, 0.4), (0.1, 0.9)):
        out, y = told(a, b)
        dus.loss(out, Bench(samples=30).batch()._replace(y=y))
    torch.testing.assert_close(dus.mean, torch.tensor([0.5, 0.5]))
    assert dus.batches == 3


def test_the_one_ahead_is_given_fewer_by_its_lead_and_the_last_all():
    dus = started(strength=0.5)
    dus.mean = torch.tensor([0.8, 0.4])
    assert dus.counts(100) == [math.ceil(100 * (1 - math.tanh(0.5))), 100]
    dus.mean = torch.tensor([0.4, 0.4])
    assert dus.counts(100) == [100, 100]
    dus.mean = torch.tensor([0.9, 0.5, 0.1])
    assert dus.counts(100) == [math.ceil(100 * (1 - math.tanh(1.0))), 100, 100]
    dus.mean = torch.tensor([1.0, 1e-30])
    assert dus.counts(100) == [1, 100]


def test_each_loss_is_over_the_samples_that_were_given():
    """Encoder gradients of samples beyond n_m are zero, the shared loss has min_m n_m of them."""
    bench, dus = Bench(), method("dus", strength=1.0)
    model = bench.start(dus)
    batch = bench.batch()
    out = model(batch.x)
    for z in (*out.auxiliary.values(), out.fused):
        z.retain_grad()
    dus.mean, dus.batches = torch.tensor([0.6, 0.4]), torch.tensor(1e9)  # as good as fixed
    loss = dus.loss(out, batch)
    few, every = dus.counts(12)
    assert 1 < few < every == 12
    loss.backward()
    for logits, n in ((out.auxiliary["a"], few), (out.auxiliary["b"], 12), (out.fused, few)):
        assert logits.grad[:n].any(1).all()
        assert not logits.grad[n:].any()
    y = batch.y
    expected = cross_entropy(out.fused[:few], y[:few]) + cross_entropy(out.auxiliary["b"], y)
    expected = expected + cross_entropy(out.auxiliary["a"][:few], y[:few])
    torch.testing.assert_close(loss, expected)


def test_the_mean_that_decides_has_the_batch_itself_in_it(monkeypatch):
    dus, seen = started(), []
    monkeypatch.setattr(dus, "counts", lambda n: seen.append(dus.mean.tolist()) or [n, n])
    out, y = told(0.9, 0.2)
    dus.loss(out, Bench(samples=30).batch()._replace(y=y))
    assert seen == [pytest.approx([0.9, 0.2])]
