"""AMCo: logits of the modality that predictions depend on are masked, first few, then all."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy

from umt_lib.data.splits import Batch
from umt_lib.models import Output

CLASSES = 4


def out(**logits: list[list[float]]) -> Output:
    """An output with these logits of each modality."""
    given = {m: torch.tensor(x) for m, x in logits.items()}
    return Output({}, sum(given.values()), given, {})


def started(epoch: int, **options):
    """The method at the start of ``epoch``."""
    amco = method("amco", **options)
    amco.on_epoch(None, epoch, 10)
    return amco


BATCH = Batch({}, torch.tensor([0, 3]), torch.arange(2))
SURE = out(a=[[3.0, -1.0, 0.0, 0.5], [0.0, 1.0, 0.0, 4.0]], b=[[0.1, 0.0, 0.2, -0.1]] * 2)


def test_nothing_masked_is_joint_training():
    bench = Bench(encoder="series-cnn", epochs=4, samples=60)
    assert bench.alike(method("amco", threshold=1.0, weight=0.0), method("joint"))


def test_masks_change_the_training_and_cross_entropies_do_too():
    bench = Bench(epochs=4)
    losses = {
        (threshold, weight): bench.train(method("amco", threshold=threshold, weight=weight))[1]
        for threshold in (0.5, 1.0)
        for weight in (0.0, 1.0)
    }
    assert len({tuple(p.curves["train_loss"]) for p in losses.values()}) == 4
    first = [losses[t, 1.0].curves["train_loss"][0] for t in (0.5, 1.0)]
    assert first[0] == pytest.approx(first[1], rel=1e-6)  # no mask has zeros in the first epoch


def test_the_loss_is_the_equation():
    torch.manual_seed(0)
    amco = started(1, weight=2.0)
    y, (a, b) = BATCH.y, SURE.unimodal.values()
    plain = cross_entropy(a + b, y) + 2 * (cross_entropy(a, y) + cross_entropy(b, y))
    assert amco.masked == set()
    torch.testing.assert_close(amco.loss(SURE, BATCH), plain)
    shares = torch.cat([a, b], 1).softmax(1)
    assert shares[:, :4].sum(1).mean() > 0.5
    assert amco.masked == {"a"}

    amco.batches = 2  # q = sin(pi/2 2/3) = 0.866: three of four classes
    state = torch.get_rng_state()
    kept = amco.mask(a)
    assert kept.tolist().count(0.0) == 3
    torch.set_rng_state(state)
    known = cross_entropy(kept * a + b, y)
    expected = known + 2 * (cross_entropy(kept * a, y) + cross_entropy(b, y))
    torch.testing.assert_close(amco.loss(SURE, BATCH), expected)
    shares = torch.cat([kept * a, b], 1).softmax(1)[:, :4].sum(1).mean()
    assert amco.masked == ({"a"} if shares > 0.5 else {"b"})


@pytest.mark.parametrize(("epoch", "zeros"), [(0, [0, 0, 0, 0]), (1, [0, 5, 8, 10]), (3, [0, 10])])
def test_the_mask_grows_within_an_epoch_until_nothing_is_kept(epoch, zeros):
    amco, logits = started(epoch), torch.zeros(2, 10)
    for batch, expected in enumerate(zeros):
        amco.batches = batch
        share = math.sin(math.pi / 2 * min(0.3, epoch * batch / 10) / 0.3)  # as the toolkit has it
        assert int(share * 10) == expected
        assert amco.mask(logits).tolist().count(0.0) == expected


def test_masked_classes_are_drawn_anew():
    torch.manual_seed(0)
    amco = started(1)
    amco.batches = 1
    assert len({tuple(amco.mask(torch.zeros(1, 10)).tolist()) for _ in range(20)}) > 10


def test_a_modality_is_masked_for_its_share_and_not_in_the_first_batch_of_an_epoch():
    for threshold, expected in ((0.5, {"a"}), (0.99, set())):
        amco = started(5, threshold=threshold)
        amco.loss(SURE, BATCH)
        assert amco.masked == expected
    three = out(a=[[5.0, 0.0]], b=[[4.9, 0.0]], c=[[0.0, 0.0]])
    amco = started(5, threshold=0.4)
    amco.loss(three, Batch({}, torch.tensor([0]), torch.arange(1)))
    assert amco.masked == {"a", "b"}
    amco.on_epoch(None, 6, 10)
    assert (amco.masked, amco.batches) == (set(), 0)


def test_two_modalities_take_turns_once_masks_are_full():
    """What the toolkit's schedule amounts to with its threshold: one encoder learns at a time."""
    bench, amco = Bench(), method("amco")
    model, _ = bench.train(method("joint"))
    amco.on_epoch(model, 3, 6)
    learned = []
    for start in range(0, 60, 12):
        model.zero_grad()
        amco.backward(model, model(bench.batch().x), bench.batch(start, start + 12))
        learned.append(
            [m for m, e in model.encoders.items() if any(p.grad.any() for p in e.parameters())]
        )
    assert learned[0] == ["a", "b"]
    assert all(len(x) == 1 for x in learned[1:])
    assert all(x != y for x, y in pairwise(learned[1:]))
