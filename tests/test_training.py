"""fit(): the training loop behind every result of the study."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from tiny import Bench, copied, jitter, method, same
from torch.nn.functional import cross_entropy

from umt_lib import training
from umt_lib.data.loader import batches
from umt_lib.data.splits import Split
from umt_lib.errors import StudyError
from umt_lib.fused_sgd import FusedSGD
from umt_lib.methods import METHODS, Joint
from umt_lib.models.inference import outputs
from umt_lib.training import Diverged, Training, _rate, fit


class Stop(Exception):
    """What kills a run in these tests."""


class Noisy(Joint):
    """A method that throws dice in every step, as dropout does."""

    def loss(self, out, batch):
        return super().loss(out, batch) * torch.rand(())


def poisoned(split: Split) -> Split:
    return Split({m: torch.full_like(x, torch.nan) for m, x in split.x.items()}, split.y)


@pytest.mark.parametrize("augment", [None, jitter], ids=["as it is", "augmented"])
@pytest.mark.parametrize("name", ["joint", "umt", "frozen", "joint-ensemble", "noisy"])
def test_interrupted_at_any_epoch_and_resumed_is_the_same_run(name, augment, monkeypatch):
    """Bit for bit: weights, batch statistics, curves, chosen epoch, samples."""
    monkeypatch.setitem(METHODS, "noisy", Noisy)
    bench = Bench(encoder="series-cnn", epochs=3, samples=50, augment=augment, probe_every=2)
    whole, expected = bench.train(method(name))
    for stop_after in (1, 2, 3):
        kept = []

        def save(state, kept=kept, stop_after=stop_after):
            kept.append(copy.deepcopy(state))
            if state.progress.epoch == stop_after:
                raise Stop

        with pytest.raises(Stop):
            bench.train(method(name), save=save)
        resumed, progress = bench.train(method(name), state=kept[-1])
        assert same(resumed.state_dict(), whole.state_dict())
        assert replace(progress, seconds=0) == replace(expected, seconds=0)


@pytest.mark.parametrize("size", [1, 7, 25, 100])
def test_every_sample_is_seen_once_per_epoch(size):
    bench = Bench(samples=25, augment=jitter)
    orders = []
    for epoch in (0, 1):
        drawn = list(batches(bench.splits, bench.splits.train, size, seed=3, epoch=epoch))
        rows = torch.cat([b.index for b in drawn])
        assert sorted(rows.tolist()) == list(range(25))
        assert all(len(b.y) == len(b.index) == len(b.x["a"]) <= size for b in drawn)
        assert torch.equal(torch.cat([b.y for b in drawn]), bench.splits.train.y[rows])
        orders.append(rows)
    assert not torch.equal(*orders)


def test_the_order_belongs_to_seed_and_epoch():
    bench = Bench(samples=25)

    def order(seed, epoch):
        drawn = batches(bench.splits, bench.splits.train, 8, seed, epoch)
        return torch.cat([b.index for b in drawn]).tolist()

    assert order(0, 2) == order(0, 2)
    assert len({tuple(order(*at)) for at in ((0, 2), (0, 3), (1, 2), (2, 0))}) == 4


def test_the_noise_of_methods_belongs_to_seed_and_epoch(monkeypatch):
    """The random stream from which a method draws while it trains."""
    joint, drawn = method("joint"), []

    def loss(self, out, batch):
        drawn.append(torch.initial_seed())
        return cross_entropy(out.fused, batch.y)

    monkeypatch.setattr(type(joint), "loss", loss)
    bench = Bench(epochs=2, samples=30)  # one batch an epoch
    for seed in (0, 1, 2, 1):
        bench.train(joint, seed)
    assert len(set(drawn)) == 6
    assert drawn[6:] == drawn[2:4]


def test_augmentation_repeats_with_the_seed_and_changes_with_the_epoch():
    bench = Bench(samples=8, augment=jitter)
    train = bench.splits.train

    def view(epoch):
        (batch,) = batches(bench.splits, train, 8, 0, epoch)
        return batch.x["a"][batch.index.argsort()]

    assert torch.equal(view(0), view(0))
    assert not torch.equal(view(0), view(1))
    assert not torch.equal(view(0), train.x["a"])


def test_every_seed_and_every_batch_has_an_augmentation_of_its_own():
    bench = Bench(samples=8, augment=lambda x, stream: {"a": torch.rand(4, generator=stream)})
    drawn = [
        tuple(batch.x["a"].tolist())
        for seed in (0, 1)
        for batch in batches(bench.splits, bench.splits.train, 4, seed, epoch=0)
    ]
    assert len(set(drawn)) == 4


def test_validation_and_the_subset_for_curves_are_not_augmented():
    plain, wild = Bench(epochs=1), Bench(epochs=1, augment=lambda x, stream: x)
    assert plain.train(method("joint"))[1].curves == wild.train(method("joint"))[1].curves


def test_the_chosen_epoch_is_the_best_on_validation_and_its_weights_are_left():
    """A rate far too high at first makes the curve jump, so the last epoch is not the best."""
    bench = Bench(epochs=8, learning_rate=3.0, samples=60)
    states = []
    model, progress = bench.train(
        method("joint"), save=lambda state: states.append(copy.deepcopy(state))
    )
    accuracy, nll = (progress.curves[f"validation_{c}"] for c in ("accuracy", "nll"))
    ranked = max(range(8), key=lambda i: (accuracy[i], -nll[i]))
    assert progress.best == ranked + 1 < 8
    assert same(model.state_dict(), states[ranked].model)
    assert not same(model.state_dict(), states[-1].model)
    assert progress.score == (accuracy[ranked], -nll[ranked])


def test_a_method_that_does_not_select_leaves_the_last_epoch(monkeypatch):
    bench, joint = Bench(epochs=8, learning_rate=3.0, samples=60), method("joint")
    monkeypatch.setattr(type(joint), "selects", False)
    states = []
    model, progress = bench.train(joint, save=lambda state: states.append(copied(state.model)))
    assert progress.best < 8
    assert same(model.state_dict(), states[-1])


def test_of_equal_accuracies_the_lower_cross_entropy_is_chosen():
    bench = Bench(epochs=8)
    _, progress = bench.train(method("joint"))
    accuracy, nll = (progress.curves[f"validation_{c}"] for c in ("accuracy", "nll"))
    equals = [i for i, value in enumerate(accuracy) if value == max(accuracy)]
    assert len(equals) > 1
    assert progress.best - 1 == min(equals, key=lambda i: nll[i]) != equals[0]


def test_the_test_split_is_not_touched():
    bench = Bench()
    model, progress = bench.train(method("joint"))
    bench.splits = replace(bench.splits, test=poisoned(bench.splits.test))
    blind, blind_progress = bench.train(method("joint"))
    assert same(model.state_dict(), blind.state_dict())
    assert progress.curves == blind_progress.curves


def test_bf16_trains_and_stays_float32():
    bench = Bench(encoder="series-cnn", epochs=2, precision="bf16")
    model, progress = bench.train(method("joint"))
    exact, _ = Bench(encoder="series-cnn", epochs=2).train(method("joint"))
    assert all(v.isfinite().all() for v in model.state_dict().values())
    assert bench.predict(method("joint"), model).dtype == torch.float32
    assert progress.curves["train_loss"][-1] < progress.curves["train_loss"][0]
    assert not same(model.state_dict(), exact.state_dict())


def test_a_loss_that_is_not_finite_is_one_sentence():
    bench = Bench(epochs=5, learning_rate=1e30)
    with pytest.raises(Diverged, match=r"loss became nan in epoch 1 \(seed 4\).*learning rate"):
        bench.train(method("joint"), seed=4)


@pytest.mark.parametrize("name", ["ogm", "ogm-ge", "amco", "arl", "inforeg"])
def test_a_method_that_needs_logits_of_each_modality_refuses_another_head(name):
    with pytest.raises(StudyError, match="needs logits of each modality; give a linear head"):
        Bench(head="mlp").train(method(name))


def test_features_that_are_not_finite_after_the_last_step_are_one_sentence():
    """The losses of the epoch were finite, because each is computed before its step."""
    bench = Bench(epochs=1, learning_rate=1e30, samples=20, batch_size=20, probe_every=1)
    with pytest.raises(Diverged, match=r"features became .* in epoch 1 \(seed 4\).*learning rate"):
        bench.train(method("joint"), seed=4)


def test_curves_hold_one_number_per_epoch_and_probes_where_asked_for():
    bench = Bench(epochs=5, samples=40, probe_every=2)
    _, progress = bench.train(method("joint"))
    probes = progress.curves.pop("probe")
    assert [p["epoch"] for p in probes] == [2, 4]
    assert all(0 <= p[m] <= 1 for p in probes for m in ("a", "b"))
    assert {name: len(c) for name, c in progress.curves.items()} == dict.fromkeys(
        ("train_loss", "train_accuracy", "validation_accuracy", "validation_nll"), 5
    )
    assert (progress.epoch, progress.samples) == (5, 200)
    assert progress.seconds > 0


def test_probing_along_the_way_changes_nothing():
    quiet, probed = Bench(epochs=3), Bench(epochs=3, probe_every=1)
    assert same(*(b.train(method("joint"))[0].state_dict() for b in (quiet, probed)))


def test_each_split_is_evaluated_once_an_epoch_also_for_probes(monkeypatch):
    seen = []

    def spy(model, split):
        seen.append(len(split))
        return outputs(model, split)

    monkeypatch.setattr(training, "outputs", spy)
    Bench(epochs=2, samples=40, probe_every=1).train(method("joint"))
    assert seen == [40, 40] * 2  # the subset for curves and validation


def test_batches_draw_nothing_from_the_global_generator():
    bench = Bench(samples=25, augment=jitter)
    before = torch.get_rng_state()
    assert len(list(batches(bench.splits, bench.splits.train, 8, seed=0, epoch=0))) == 4
    assert torch.equal(torch.get_rng_state(), before)


def test_the_rate_is_constant_then_falls_in_a_line_to_zero():
    rates = [_rate(epoch / 10, 0.4) for epoch in range(10)]
    assert rates == pytest.approx([1, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])
    assert [_rate(epoch / 4, 0.0) for epoch in range(4)] == [1, 1, 1, 1]


def test_the_optimizer_gets_the_schedule(monkeypatch):
    seen = []
    step = FusedSGD.step

    def spy(self, *args):
        group = self.param_groups[0]
        seen.append((group["lr"], group["momentum"], group["weight_decay"]))
        return step(self, *args)

    monkeypatch.setattr(FusedSGD, "step", spy)
    bench = Bench(samples=10)
    schedule = Training(4, 10, 0.2, momentum=0.5, weight_decay=0.01, decay=0.5)
    model = bench.start(method("joint"))
    fit(model, method("joint"), bench.splits, schedule, seed=0)
    assert seen == [(0.2, 0.5, 0.01)] * 3 + [(0.1, 0.5, 0.01)]


def test_a_tick_after_every_epoch():
    ticks = []
    Bench(epochs=3).train(method("joint"), tick=ticks.append)
    assert len(ticks) == 3
    assert all("validation" in text for text in ticks)


def test_the_epoch_is_chosen_by_the_prediction_of_the_method(monkeypatch):
    """Not by the fused logits: here the prediction is their opposite."""
    joint = method("joint")
    monkeypatch.setattr(type(joint), "predict", lambda self, out: -out.fused)
    _, progress = Bench(epochs=4).train(joint)
    accuracy, nll = (progress.curves[f"validation_{c}"] for c in ("accuracy", "nll"))
    assert max(accuracy) < 1 / 3
    assert max(progress.curves["train_accuracy"]) < 1 / 3
    assert progress.best == 1 + max(range(4), key=lambda i: (accuracy[i], -nll[i]))
