"""Diagnosing and re-learning: encoders go back the further, the worse they separate new samples."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, copied, method

from umt_lib.methods import diagnosing_relearning
from umt_lib.methods.diagnosing_relearning import purity


@pytest.mark.parametrize("off", [{"strength": 0.0}, {"times": 0}])
def test_no_strength_or_no_moment_is_joint_training(off):
    bench = Bench(encoder="series-cnn", epochs=4, samples=60)
    assert bench.alike(method("diagnosing-relearning", **off), method("joint"))


def test_some_strength_is_another_training_from_the_first_moment_on():
    bench = Bench(epochs=4)
    _, joint = bench.train(method("joint"))
    _, relearned = bench.train(method("diagnosing-relearning", strength=3.0, times=1, every=0.5))
    losses, others = (x.curves["train_loss"] for x in (joint, relearned))
    assert losses[:2] == others[:2]
    assert others[2] > losses[2]
    assert relearned.samples == joint.samples + 2 * len(bench.splits.train)


def test_moments_are_shares_of_the_epochs():
    bench, relearn = Bench(samples=30), method("diagnosing-relearning", times=3, every=0.22)
    model = bench.start(relearn)
    assert [e for e in range(40) if relearn.on_epoch(model, e, 40)] == [9, 18, 26]
    assert [e for e in range(90) if relearn.on_epoch(model, e, 90)] == [20, 40, 59]


def test_each_encoder_moves_by_its_own_gap_and_nothing_else_moves(monkeypatch):
    bench = Bench(encoder="series-cnn")
    relearn = method("diagnosing-relearning", strength=3.0, times=1, every=0.5)
    model = bench.start(relearn)
    initial = copied(model.state_dict())
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.is_floating_point():
                tensor += torch.rand(tensor.shape)
    trained = copied(model.state_dict())
    seen = []
    given = iter([0.9, 0.6, 0.7, 0.75])  # a: training and validation split, then b

    def pure(z, y, clusters):
        seen.append((z, y, clusters))
        return next(given)

    monkeypatch.setattr(diagnosing_relearning, "purity", pure)
    assert relearn.on_epoch(model, 2, 6) == 0
    assert relearn.on_epoch(model, 3, 6) == 2 * len(bench.splits.train)
    share = {"a": math.tanh(3 * 0.3), "b": math.tanh(3 * 0.05)}
    learned = {name for name, _ in model.named_parameters()}
    for name, tensor in model.state_dict().items():
        a = share[name[9]] if name in learned and name.startswith("encoders.") else 0.0
        expected = a * initial[name] + (1 - a) * trained[name] if a else trained[name]
        torch.testing.assert_close(tensor, expected, msg=name)
    for (z, y, clusters), split in zip(seen, ["train", "validation"] * 2, strict=True):
        assert torch.equal(y, getattr(bench.splits, split).y)
        assert (z.shape, clusters) == ((len(y), 6), 3)
    assert not torch.equal(seen[0][0], seen[2][0])  # features of a, then of b


def test_purity_counts_the_most_frequent_class_of_each_cluster():
    z = torch.tensor([[0.0], [0.1], [0.2], [9.8], [9.9], [10.0]])
    assert purity(z, torch.tensor([0, 0, 1, 1, 1, 1]), 2) == pytest.approx(5 / 6)
    assert purity(z, torch.tensor([2, 2, 2, 0, 0, 0]), 2) == 1
    assert purity(z, torch.tensor([0, 1, 0, 1, 0, 1]), 2) == pytest.approx(4 / 6)
    assert purity(z[:1], torch.tensor([1]), 2) == 1  # fewer samples than clusters
    assert purity(torch.ones(4, 2), torch.tensor([0, 0, 0, 1]), 2) == 0.75  # one place


def test_every_dimension_counts_alike_whatever_its_range():
    stream = torch.Generator().manual_seed(0)
    y = torch.arange(200) % 2
    wide = 1000 * torch.rand(200, generator=stream)
    assert purity(torch.stack([wide, y.float()], 1), y, 2) == 1


def test_clusters_are_less_pure_on_new_samples_after_training():
    """The gap is there to be found: memorised training samples separate better than new ones."""
    bench = Bench(samples=60, epochs=40)
    relearn = method("diagnosing-relearning")
    before = relearn.shares(bench.start(relearn))
    model, _ = bench.train(method("joint"))
    after = relearn.shares(model)
    assert all(0 <= a < 1 for a in (*before.values(), *after.values()))
    assert max(after.values()) > max(before.values())
