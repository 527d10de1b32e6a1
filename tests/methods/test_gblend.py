"""G-Blend: loss weights measured by training branches alone on part of the training split."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from tiny import CLASSES, Bench, copied, method, same
from torch.nn.functional import cross_entropy

from umt_lib.errors import StudyError
from umt_lib.methods import Setting
from umt_lib.methods import gblend as module
from umt_lib.methods.gblend import Branch, blended, cut
from umt_lib.paths import PARAMS
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.training import fit


def spied(bench: Bench, gblend, samples: int = 0) -> tuple[torch.nn.Module, list]:
    """A started model, and what its method asks to be learned: (method, rest, held, epochs)."""
    model, asked = bench.start(gblend), []

    def learn(model, method, train, held, epochs):
        asked.append((method, train, held, epochs))
        return samples

    gblend.learn = learn
    return model, asked


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_equal_weights_are_joint_auxiliary_at_a_third_of_the_rate(head):
    bench = Bench(encoder="series-cnn", head=head)
    blend, plain = (bench.gradients(m) for m in (method("gblend"), method("joint-auxiliary")))
    assert blend.keys() == plain.keys()
    for name, g in plain.items():
        torch.testing.assert_close(3 * blend[name], g, atol=1e-6, rtol=1e-5)


def test_a_weight_scales_the_loss_of_its_branch_and_no_other():
    bench = Bench()
    gblend = method("gblend")
    model, batch = bench.start(gblend), bench.batch()
    gblend.weights = torch.tensor([1.0, 0.0, 0.0])
    gblend.backward(model, model(batch.x), batch)
    for name, p in model.named_parameters():
        assert p.grad is None or p.grad.any() == (".a." in name), name
    own = cross_entropy(model(batch.x).auxiliary["a"], batch.y)
    torch.testing.assert_close(gblend.loss(model(batch.x), batch), own)


def test_weights_are_gain_over_overfitting_squared():
    before = torch.tensor([[2.0, 2.0], [2.0, 2.0], [2.0, 2.1]])  # train, held out
    after = torch.tensor([[1.0, 1.5], [0.8, 1.0], [1.0, 2.1 - 0.4]])
    worth = torch.tensor([0.5 / 0.5**2, 1.0 / 0.2**2, 0.4 / 0.6**2])
    torch.testing.assert_close(blended(before, after), worth / worth.sum())
    shrunk = torch.tensor([[1.0, 0.5], [0.8, 1.0], [1.0, 1.7]])  # the first gap became negative
    worth[0] = 1.5 / 0.5**2
    torch.testing.assert_close(blended(before, shrunk), worth / worth.sum())
    even = torch.tensor([[1.0, 1.0], [0.8, 1.0], [1.0, 1.7]])  # the first gap stayed 0
    worth[0] = 1.0 / 0.01**2
    torch.testing.assert_close(blended(before, even), worth / worth.sum())
    assert blended(before, before).tolist() == pytest.approx([1 / 3] * 3)


def test_a_branch_alone_moves_its_own_parts_only():
    bench, gblend = Bench(epochs=1), method("gblend")
    for k in ("a", "b", None):
        model = bench.start(gblend)
        before = copied(dict(model.named_parameters()))
        gblend.learn(model, Branch(k), gblend.rest, gblend.held, 1)
        for name, p in model.named_parameters():
            part, m = name.split(".")[:2]
            mine = part != "auxiliary" if k is None else m == k and part != "head"
            assert torch.equal(p, before[name]) != mine, name


def test_a_branch_is_left_at_its_last_epoch():
    """At the best one on held-out samples, the overfitting that is to be measured is gone."""
    bench, gblend = Bench(epochs=8, learning_rate=3.0, samples=60), method("gblend")
    model, twin = (bench.start(gblend) for _ in range(2))
    gblend.learn(model, Branch("a"), gblend.rest, gblend.held, 8)
    splits = replace(bench.splits, train=gblend.rest, validation=gblend.held)
    states: list[dict[str, torch.Tensor]] = []
    progress = fit(
        twin,
        Branch("a"),
        splits,
        bench.training,
        seed=0,
        save=lambda state: states.append(copied(state.model)),
    )
    assert progress.best < 8
    assert same(model.state_dict(), states[-1])
    assert not same(model.state_dict(), states[progress.best - 1])


class Measured(NamedTuple):
    """An estimate on real data: losses (k, 2); gains, overfitting and weights (k,)."""

    before: torch.Tensor
    after: torch.Tensor
    gain: torch.Tensor
    overfit: torch.Tensor
    weights: torch.Tensor


@pytest.fixture(scope="module")
def measured() -> Measured:
    """The estimate of the experiment on synthetic data, as its params file is."""
    params = params_files.read(PARAMS / "synthetic-gblend.yaml")
    experiment = Experiment.from_params(params)
    splits, training = experiment.splits, replace(experiment.training, probe_every=0)

    def learn(model, method, train, held, epochs):
        parts = replace(splits, train=train, validation=held)
        return fit(model, method, parts, replace(training, epochs=epochs), seed=0).samples

    gblend, seen = method("gblend"), []
    torch.manual_seed(0)
    model = gblend.build(experiment.make, {})
    gblend.start(model, Setting(splits.train, splits.validation, {}, False, learn))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "blended", lambda *losses: seen.append(losses) or blended(*losses))
        gblend.on_epoch(model, 0, training.epochs)
    ((before, after),) = seen
    gain = before[:, 1] - after[:, 1]
    overfit = (after[:, 1] - after[:, 0]) - (before[:, 1] - before[:, 0])
    return Measured(before, after, gain, overfit, gblend.weights)


def test_overfitting_has_a_say_in_a_real_run(measured):
    """The smallest O is far from the one that replaces an O near 0; the gains alone differ."""
    assert (measured.overfit > 3 * module.LEAST).all()
    by_gain = measured.gain / measured.gain.sum()
    assert (measured.weights - by_gain).abs().max() > 0.1
    expected = measured.gain / measured.overfit**2
    torch.testing.assert_close(measured.weights, expected / expected.sum())


def test_of_two_branches_with_one_gain_the_one_that_overfits_more_weighs_less(measured):
    """Training losses and held-out losses are those of a real run, shifted to equal gains."""
    after = measured.after + (measured.gain - measured.gain.mean())[:, None]
    weights = blended(measured.before, after)
    assert weights.argsort().tolist() == measured.overfit.argsort(descending=True).tolist()
    assert weights.max() > 1.2 * weights.min()


def test_offline_once_and_online_every_super_epoch_on_parts_of_the_training_split():
    bench = Bench()
    train = {tuple(row) for row in bench.splits.train.x["a"].tolist()}
    for super_epoch, due in ((0, {0: 5}), (2, {0: 2, 2: 2, 4: 1})):
        gblend = method("gblend", super_epoch=super_epoch, held_out=0.2)
        model, asked = spied(bench, gblend, samples=7)
        before = copied(model.state_dict())
        for epoch in range(5):
            seen = gblend.on_epoch(model, epoch, 5)
            assert seen == (3 * (7 + 120) + 120 if epoch in due else 0)
            assert [a[3] for a in asked] == ([due[epoch]] * 3 if epoch in due else [])
            assert [a[0].k for a in asked] == (["a", "b", None] if epoch in due else [])
            for _, rest, held, _ in asked:
                parts = [{tuple(row) for row in part.x["a"].tolist()} for part in (rest, held)]
                assert parts[0] | parts[1] == train
                assert not parts[0] & parts[1]
                assert (held.y.bincount() == 30 // CLASSES).all()
            asked.clear()
        assert same(model.state_dict(), before)


def test_the_estimate_is_that_of_the_losses_before_and_after():
    bench, gblend = Bench(epochs=2), method("gblend")
    model = bench.start(gblend)
    start = gblend.losses(model)
    assert gblend.on_epoch(model, 0, 2) > 0
    after = []
    for k in ("a", "b", None):
        alone = bench.start(method("gblend"))
        gblend.learn(alone, Branch(k), gblend.rest, gblend.held, 2)
        after.append(gblend.losses(alone)[k])
    expected = blended(torch.stack(tuple(start.values())), torch.stack(after))
    assert torch.equal(gblend.weights, expected)
    assert not torch.allclose(expected, torch.full((3,), 1 / 3), atol=0.05)
    assert expected.sum().item() == pytest.approx(1)


def test_online_the_blended_model_does_not_learn_what_is_held_out():
    bench = Bench()
    for super_epoch in (0, 2):
        gblend = method("gblend", super_epoch=super_epoch)
        model, batch = bench.start(gblend), bench.batch(0, 40)
        out = model(batch.x)
        out.fused.retain_grad()
        gblend.backward(model, out, batch)
        held = {tuple(row) for row in gblend.held.x["a"].tolist()}
        mine = torch.tensor([tuple(row) in held for row in batch.x["a"].tolist()])
        assert 0 < mine.sum() < 40
        assert out.fused.grad[~mine].any(1).all()
        assert out.fused.grad[mine].any() == (super_epoch == 0)


def test_groups_are_not_divided():
    train = Bench().splits.train
    train = replace(train, groups=np.arange(len(train)) // 10)
    rest, held = (set(train.groups[rows]) for rows in cut(train, 0.2))
    assert rest
    assert held
    assert not rest & held


def test_a_training_split_too_small_to_hold_out_from_is_named():
    bench = Bench(samples=12)
    with pytest.raises(StudyError, match=r"method.held_out: no 0.1 of the training split"):
        bench.start(method("gblend", held_out=0.1))
