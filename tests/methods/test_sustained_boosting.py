"""Sustained boosting: turns, residual labels, and classifiers for the modality that is behind."""

from __future__ import annotations

import pytest
import torch
from tiny import CLASSES, Bench, copied, method, same
from torch import nn
from torch.nn.functional import cross_entropy, one_hot


def with_counts(bench: Bench, boost, *counts: int):
    """A model with so many classifiers of each modality."""
    model = bench.start(boost)
    model.counts.copy_(torch.tensor(counts))
    return model


def test_without_more_classifiers_it_is_uni_modal_training_in_turns():
    bench, boost = Bench(encoder="series-cnn"), method("sustained-boosting", more=0)
    one, two = bench.start(boost), bench.start(boost)
    batch = bench.batch()
    boost.step(one, torch.optim.SGD(one.parameters(), 0.5), batch)
    optimizer = torch.optim.SGD(two.parameters(), 0.5)
    for m in ("a", "b"):
        optimizer.zero_grad()
        logits = two.head(two.layers[m][0](two.encoders[m](batch.x[m])).relu())
        cross_entropy(logits, batch.y).backward()
        optimizer.step()
    assert same(one.state_dict(), two.state_dict())

    model, progress = bench.train(boost)
    assert model.counts.tolist() == [1, 1]
    _, boosted = bench.train(method("sustained-boosting"))
    assert boosted.curves["train_loss"][0] == progress.curves["train_loss"][0]
    assert boosted.curves["train_loss"][1:] != progress.curves["train_loss"][1:]


def test_the_loss_is_that_of_residual_labels():
    """Cross-entropy of the newest classifier with y - lambda y p, beside those of the sums."""
    torch.manual_seed(0)
    parts = torch.randn(3, 5, 4, requires_grad=True)
    y = torch.tensor([0, 3, 1, 1, 2])
    boost = method("sustained-boosting", smoothing=0.3)
    first = parts[0] + parts[1]
    label = one_hot(y, 4).float()
    residual = label - 0.3 * label * first.detach().softmax(1)
    assert (residual >= 0).all()
    expected = (
        cross_entropy(parts.sum(0), y)
        + cross_entropy(first, y)
        - (residual * parts[2].log_softmax(1)).sum(1).mean()
    )
    found = boost.boosted(parts, y)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(x, parts, retain_graph=True)[0] for x in (found, expected)]
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(boost.boosted(parts[:1], y), cross_entropy(parts[0], y))


def test_a_modality_that_is_behind_gets_a_classifier():
    bench, boost = Bench(("a", "b", "c")), method("sustained-boosting", margin=0.1, more=2)
    model = with_counts(bench, boost, 1, 1, 1)
    counts = []
    for epoch, scores in enumerate(
        [
            [0.1, 0.9, 0.9],  # before the first epoch: nothing was measured
            [0.5, 0.9, 0.9],  # after it
            [0.5, 0.9, 0.9],  # not a tenth of the 30 epochs
            [0.8, 0.81, 0.85],  # within the margin
            [0.5, 0.9, 0.9],
            [0.5, 0.9, 0.9],
            [0.5, 0.6, 0.9],  # two of three are behind
            [0.1, 0.9, 0.9],
            [0.1, 0.9, 0.9],
            [0.1, 0.9, 0.9],  # a has as many as it can get
        ]
    ):
        boost.scores = torch.tensor(scores)
        assert boost.on_epoch(model, epoch, 30) == 0
        assert not boost.scores.any()
        counts.append(model.counts.tolist())
    assert counts == [
        *[[1, 1, 1]],
        *[[2, 1, 1]] * 5,
        *[[3, 2, 1]] * 4,
    ]


def test_scores_are_sums_of_the_probability_of_the_truth():
    bench, boost = Bench(), method("sustained-boosting")
    model = with_counts(bench, boost, 2, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    expected = torch.zeros(2)
    for batch in (bench.batch(0, 7), bench.batch(7, 40)):
        own = model(batch.x).unimodal.values()
        expected += torch.stack([x.softmax(1)[range(len(x)), batch.y].sum() for x in own])
        boost.step(model, optimizer, batch)
    torch.testing.assert_close(boost.scores, expected)


def test_a_classifier_that_is_not_in_use_changes_nothing_and_stays():
    bench, boost = Bench(), method("sustained-boosting", more=2)
    model = with_counts(bench, boost, 2, 1)
    before = copied(model.state_dict())
    batch = bench.batch()
    out = model(batch.x)
    with torch.no_grad():
        for layer in (model.layers["a"][2], model.layers["b"][1]):
            layer.weight += 1
    assert torch.equal(model(batch.x).fused, out.fused)
    model.load_state_dict(before)
    optimizer = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9, weight_decay=0.1)
    for _ in range(2):
        boost.step(model, optimizer, batch)
    unused = ("layers.a.2.", "layers.b.1.", "layers.b.2.", "counts")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]) == name.startswith(unused), name


def test_the_prediction_is_the_mean_of_the_sums():
    bench, boost = Bench(), method("sustained-boosting")
    model = with_counts(bench, boost, 3, 1)
    out = model(bench.batch().x)
    sums = {
        m: sum(model.head(model.layers[m][i](z).relu()) for i in range(n))
        for (m, z), n in zip(out.features.items(), (3, 1), strict=True)
    }
    assert all(torch.allclose(x, out.unimodal[m], atol=1e-6) for m, x in sums.items())
    torch.testing.assert_close(boost.predict(out), (sums["a"] + sums["b"]) / 2)
    assert out.fused.shape == (12, CLASSES)


@pytest.mark.parametrize("released", [False, True])
def test_released_adds_classifiers_that_its_optimiser_does_not_know(released):
    """As with an optimiser that is made before a layer is appended; all else still learns."""
    bench, boost = Bench(), method("sustained-boosting", more=1, released=released)
    model, twin = with_counts(bench, boost, 2, 1), with_counts(bench, boost, 2, 1)
    added = nn.ModuleList([twin.layers["a"][1]])
    for parameter in added.parameters():
        parameter.requires_grad_(True)
    del twin.layers["a"][1]
    theirs = torch.optim.SGD(twin.parameters(), 0.5, momentum=0.9)
    twin.layers["a"].append(added[0])
    mine = torch.optim.SGD(model.parameters(), 0.5, momentum=0.9)
    start = copied(twin.state_dict())
    for batch in (bench.batch(0, 20), bench.batch(20, 40)):
        for net, optimizer in ((model, mine), (twin, theirs)):
            boost.step(net, optimizer, batch)
    assert torch.equal(added[0].weight, start["layers.a.1.weight"])
    assert not torch.equal(twin.head.weight, start["head.weight"])
    assert same(model.state_dict(), twin.state_dict()) == released
    assert torch.equal(model.layers["a"][1].weight, start["layers.a.1.weight"]) == released


def test_the_best_epoch_is_restored_with_its_number_of_classifiers():
    bench = Bench(epochs=8, samples=90)
    boost = method("sustained-boosting", margin=0.0)
    counts = []
    model, progress = bench.train(boost, save=lambda s: counts.append(s.model["counts"].tolist()))
    assert len({tuple(n) for n in counts}) > 1
    assert model.counts.tolist() == counts[progress.best - 1]
