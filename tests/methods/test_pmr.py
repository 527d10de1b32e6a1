"""PMR: a pull of the slower modality towards prototypes, and doubt for the faster one early on."""

from __future__ import annotations

import pytest
import torch
from tiny import CLASSES, Bench, method, same
from torch.nn.functional import cross_entropy

from umt_lib.methods.common import ratios
from umt_lib.models.inference import outputs


def test_strength_0_is_joint_training():
    bench = Bench(encoder="series-cnn", epochs=3)
    model, progress = bench.train(method("pmr", alpha=0.0, entropy=0.0))
    joint, joint_progress = bench.train(method("joint"))
    assert same(model.state_dict(), joint.state_dict())
    assert progress.curves == joint_progress.curves
    assert progress.samples > joint_progress.samples  # looking at prototypes has a price


def uneven(bench: Bench, pmr):
    """A started model in which b is ahead: its features sit on the prototypes, far apart."""
    model = bench.start(pmr)
    batch = bench.batch()
    out = model(batch.x)
    pmr.prototypes["b"] = 20.0 * torch.eye(CLASSES, 6)
    ahead = pmr.prototypes["b"][batch.y] + 0.0 * out.features["b"]
    return model, batch, out._replace(features={**out.features, "b": ahead})


def test_only_the_slower_modality_is_pulled():
    """By alpha times the gradient of the prototype cross-entropy of a, and nothing else."""
    bench = Bench()
    joint, one, three = ({}, {}, {})
    for alpha, gradients in ((0.0, joint), (1.0, one), (3.0, three)):
        pmr = method("pmr", alpha=alpha, entropy=0.0)
        model, batch, out = uneven(bench, pmr)
        pmr.loss(out, batch).backward()
        gradients |= {n: p.grad for n, p in model.named_parameters()}
    sim = -torch.cdist(out.features["a"], pmr.prototypes["a"])
    rho = ratios({"a": sim, "b": -torch.cdist(out.features["b"], pmr.prototypes["b"])}, batch.y)
    assert rho["a"] < 0.5 < 2 < rho["b"]  # both clip to 1
    model.zero_grad()
    cross_entropy(
        -torch.cdist(model(batch.x).features["a"], pmr.prototypes["a"]), batch.y
    ).backward()
    for name, p in model.named_parameters():
        if name.startswith("encoders.a"):
            assert p.grad.any()
            torch.testing.assert_close(one[name] - joint[name], p.grad, atol=1e-6, rtol=1e-4)
            torch.testing.assert_close(three[name] - joint[name], 3 * p.grad, atol=1e-6, rtol=1e-4)
        else:
            assert torch.equal(one[name], joint[name])


def spread(bench: Bench, pmr, far: float):
    """A batch in which b is ahead but not certain, by more the larger ``far`` is.

    Returns the batch, its output and the formula's parts: sim, rho of b, entropy of b.
    """
    model, batch = bench.start(pmr), bench.batch()
    out = model(batch.x)
    pmr.prototypes["b"] = far * torch.eye(CLASSES, 6)
    near = 0.7 * pmr.prototypes["b"][batch.y] + 0.3 * pmr.prototypes["b"][(batch.y + 1) % CLASSES]
    out = out._replace(features={**out.features, "b": near + out.features["b"]})
    sim = {m: -torch.cdist(z, pmr.prototypes[m]) for m, z in out.features.items()}
    right = {m: x.softmax(1)[range(len(batch.y)), batch.y].mean() for m, x in sim.items()}
    p = sim["b"].softmax(1)
    return batch, out, sim, (right["b"] / right["a"]).item(), -(p * p.log()).sum(1).mean()


@pytest.mark.parametrize(("far", "doubt"), [(1.0, (0.05, 1)), (5.0, (1, 1))])
def test_the_loss_is_its_formula_term_by_term(far, doubt):
    """Between 1 and 2 the ratio weighs both terms, beyond it they are clipped to 1."""
    bench = Bench()
    pmr = method("pmr", alpha=0.7, entropy=0.5)
    batch, out, sim, rho, entropy = spread(bench, pmr, far)
    assert doubt[0] <= min(rho - 1, 1) <= doubt[1]
    assert (rho < 2) == (far == 1.0)
    assert entropy > 0.1
    expected = (
        cross_entropy(out.fused, batch.y)
        + 0.7 * min(rho - 1, 1) * cross_entropy(sim["a"], batch.y)  # 1 / rho_a is rho_b
        - 0.5 * min(rho - 1, 1) * entropy
    )
    z = list(out.features.values())
    loss = pmr.loss(out, batch)
    torch.testing.assert_close(loss, expected)
    found, wanted = (torch.autograd.grad(x, z, retain_graph=True) for x in (loss, expected))
    torch.testing.assert_close(found, wanted)


def test_the_last_term_acts_in_early_epochs_only():
    bench = Bench()
    pmr, plain = method("pmr", entropy=0.5), method("pmr", entropy=0.0)
    model = bench.start(pmr)
    early = []
    for epoch in range(10):
        pmr.on_epoch(model, epoch, 10)
        early.append(pmr.is_early)
    assert early == [True] * 2 + [False] * 8
    batch, out, *_ = spread(bench, pmr, 1.0)
    plain.prototypes, plain.is_early = pmr.prototypes, False
    assert not torch.equal(plain.loss(out, batch), pmr.loss(out, batch))
    pmr.is_early = False
    assert torch.equal(plain.loss(out, batch), pmr.loss(out, batch))


def test_prototypes_are_class_means_in_evaluation_mode_then_move():
    bench, pmr = Bench(encoder="series-cnn", samples=60), method("pmr", momentum=0.25)
    model, train = bench.start(pmr), bench.splits.train

    def means() -> torch.Tensor:
        z = outputs(model, train).features["a"]
        return torch.stack([z[train.y == k].mean(0) for k in range(CLASSES)])

    first = means()
    torch.testing.assert_close(pmr.prototypes["a"], first)
    pmr.step(model.train(), torch.optim.SGD(model.parameters(), 0.5), bench.batch())
    assert pmr.on_epoch(model, 0, 5) == 0
    torch.testing.assert_close(pmr.prototypes["a"], first)
    assert pmr.on_epoch(model, 1, 5) == 60
    torch.testing.assert_close(pmr.prototypes["a"], 0.25 * first + 0.75 * means())
    pmr.samples = 40
    assert pmr.on_epoch(model, 2, 5) == 40


def test_the_ratio_compares_with_the_mean_of_the_others():
    sure = {"a": 0.8, "b": 0.4, "c": 0.2}
    sim = {m: torch.tensor([[p, 1 - p]]).log() for m, p in sure.items()}
    rho = ratios(sim, torch.tensor([0]))
    assert {m: r.item() for m, r in rho.items()} == pytest.approx(
        {"a": 0.8 / 0.3, "b": 0.4 / 0.5, "c": 0.2 / 0.6}
    )


def test_other_samples_are_drawn_for_the_prototypes_of_every_epoch(monkeypatch):
    bench, pmr, seen = Bench(), method("pmr", samples=40), []
    model = bench.start(pmr)
    take = type(pmr.train).take

    def spy(split, rows):
        seen.append(tuple(sorted(rows.tolist())))
        return take(split, rows)

    monkeypatch.setattr(type(pmr.train), "take", spy)
    for epoch in (1, 2, 2):
        assert pmr.on_epoch(model, epoch, 5) == 40
    assert len(set(seen[0])) == 40
    assert seen[0] != seen[1] == seen[2]
