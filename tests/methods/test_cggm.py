"""CGGM: encoders are held back by their own progress, and steered by their own classifiers."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cosine_similarity, cross_entropy

from umt_lib.errors import StudyError
from umt_lib.methods.cggm import balances, head_gradient


def test_equal_progress_rho_2_and_no_direction_is_joint_training():
    """Two modalities, the first batch: the gradients of encoders and head, bit for bit."""
    bench = Bench(encoder="series-cnn")
    cggm = bench.gradients(method("cggm", rho=2.0, direction=0.0))
    joint = bench.gradients(method("joint"))
    assert set(cggm) - set(joint) == {
        f"auxiliary.{m}.{p}" for m in "ab" for p in ("weight", "bias")
    }
    assert all(torch.equal(cggm[name], gradient) for name, gradient in joint.items())


def test_a_modality_that_gains_is_held_back_and_the_heads_are_not():
    bench, gradients = Bench(), {}
    for case in ("even", "a gains"):
        cggm = method("cggm", rho=2.0, direction=0.0)
        model, batch = bench.start(cggm), bench.batch()
        out = model(batch.x)
        right = {m: (x.argmax(1) == batch.y).float().mean() for m, x in out.auxiliary.items()}
        if case == "a gains":
            cggm.before = torch.stack([right["a"] - 0.3, right["b"] - 0.1])
        cggm.backward(model, out, batch)
        gradients[case] = {n: p.grad for n, p in model.named_parameters()}
    for name, g in gradients["even"].items():
        times = {"encoders.a": 0.5, "encoders.b": 1.5}.get(name[:10], 1.0)
        torch.testing.assert_close(gradients["a gains"][name], times * g)


@pytest.mark.parametrize(
    "gains", [[0.1, 0.3], [-0.1, 0.3], [-0.2, 0.1], [-0.1, -0.1], [0.0, 0.0], [1.0, 0.0, 0.0]]
)
def test_balances_share_a_constant_sum_and_stay_in_range(gains):
    b = balances(torch.tensor(gains), rho=1.5)
    assert b.sum().item() == pytest.approx(1.5 * (len(gains) - 1))
    assert ((b >= 0) & (b <= 1.5)).all()


def test_the_direction_gradient_is_that_of_the_heads_weights():
    bench = Bench()
    model, batch = bench.start(method("cggm")), bench.batch()
    out = model(batch.x)
    for logits, weight in (
        (out.fused, model.head.weights["a"]),
        (out.auxiliary["a"], model.auxiliary["a"].weight),
    ):
        (g,) = torch.autograd.grad(cross_entropy(logits, batch.y), weight, retain_graph=True)
        mine = head_gradient(logits, out.features["a"], batch.y)
        torch.testing.assert_close(mine.view_as(g), g)


def test_direction_bends_features_and_leaves_the_classifiers_alone():
    bench = Bench()
    none, some = (bench.gradients(method("cggm", direction=d)) for d in (0.0, 5.0))
    for name, g in none.items():
        assert torch.equal(g, some[name]) == name.startswith("auxiliary."), name

    model, batch = bench.start(method("cggm")), bench.batch()

    def agreement() -> float:
        out = model(batch.x)
        pairs = [
            (head_gradient(out.auxiliary[m], z, batch.y), head_gradient(out.fused, z, batch.y))
            for m, z in out.features.items()
        ]
        return sum(cosine_similarity(a, b, 0).item() for a, b in pairs)

    before = agreement()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p -= 0.01 * (some[name] - none[name])
    assert agreement() > before


@pytest.mark.parametrize("released", [False, True])
def test_no_loss_of_a_classifier_reaches_an_encoder(released):
    """Classifiers 50 times as sure are as often right, and only their own gradients change."""
    bench, found = Bench(), []
    for times in (1.0, 50.0):
        cggm = method("cggm", direction=0.0, released=released)
        model, batch = bench.start(cggm), bench.batch()
        with torch.no_grad():
            for p in model.auxiliary.parameters():
                p *= times
        cggm.backward(model, model(batch.x), batch)
        found.append({name: p.grad for name, p in model.named_parameters()})
    one, other = found
    for name, gradient in one.items():
        assert torch.equal(gradient, other[name]) != name.startswith("auxiliary."), name


def right(model, batch) -> torch.Tensor:
    """The accuracies (M,) of the classifiers on a batch."""
    own = model(batch.x).auxiliary.values()
    return torch.stack([(x.argmax(1) == batch.y).float().mean() for x in own])


def test_gains_are_those_since_the_batch_before():
    """Not since the first batch: three batches, each with accuracies of its own."""
    bench, cggm = Bench(), method("cggm", rho=2.0, direction=0.0)
    model = bench.start(cggm)
    parts = [bench.batch(0, 7), bench.batch(7, 40), bench.batch(40, 61)]
    seen = [right(model, batch) for batch in parts]
    expected = balances(seen[2] - seen[1], 2.0)
    assert not torch.allclose(expected, balances(seen[2] - seen[0], 2.0))
    for batch in parts:
        model.zero_grad()
        cggm.backward(model, model(batch.x), batch)
        assert torch.equal(cggm.before, right(model, batch))
    found = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    cross_entropy(model(parts[2].x).fused, parts[2].y).backward()
    for m, b in zip(model.encoders, expected, strict=True):
        for name, p in model.named_parameters():
            if name.startswith(f"encoders.{m}."):
                torch.testing.assert_close(found[name], b * p.grad)


def test_each_term_of_the_direction_counts_by_its_balance():
    """Uneven gains: the gradient of the loss as the module writes it."""
    bench, cggm = Bench(), method("cggm", rho=2.0, direction=5.0)
    model, batch = bench.start(cggm), bench.batch()
    cggm.before = right(model, batch) - torch.tensor([0.3, 0.1])
    out = model(batch.x)
    cggm.backward(model, out, batch)
    found = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    out = model(batch.x)
    loss = cross_entropy(out.fused, batch.y)
    balance = {"a": 0.5, "b": 1.5}
    for m, b in balance.items():
        z = out.features[m]
        one, other = (head_gradient(x, z, batch.y) for x in (out.auxiliary[m], out.fused))
        loss = loss + 5.0 / 2 * b * (1 - cosine_similarity(one, other, 0))
    loss.backward()
    for name, p in model.named_parameters():
        if not name.startswith("auxiliary."):
            times = balance[name[9]] if name.startswith("encoders.") else 1.0
            torch.testing.assert_close(found[name], times * p.grad, msg=name)


def test_released_is_the_update_of_the_released_code():
    """Over three steps: the last term is that of the batch before and trains the head alone."""
    rho, strength = 1.3, 20.0
    bench = Bench()
    cggm = method("cggm", rho=rho, direction=strength, released=True)
    model, twin = bench.start(cggm), bench.start(cggm)
    optimizers = [torch.optim.SGD(x.parameters(), 0.1) for x in (model, twin)]
    before, late = torch.zeros(2), torch.zeros(())
    for batch in (bench.batch(0, 7), bench.batch(7, 40), bench.batch(40, 61)):
        for x in (model, twin):
            x.zero_grad()
        cggm.backward(model, model(batch.x), batch)

        (cross_entropy(twin(batch.x).fused, batch.y) + strength * late).backward()
        twin.auxiliary.zero_grad()  # what the last term left there
        now = right(twin, batch)
        gains, before = now - before, now
        share = (gains.sum() + 1e-8 - gains) / (gains.sum() + 1e-8)
        weights = {m: (w, twin.auxiliary[m].weight) for m, w in twin.head.weights.items()}
        cosines = [
            cosine_similarity(*(x.clone().flatten() for x in pair), 0) for pair in weights.values()
        ]
        late = (share.abs().sum() - (share * torch.stack(cosines)).sum()) / 2
        for m, c in zip(twin.encoders, share, strict=True):
            for p in twin.encoders[m].parameters():
                p.grad *= rho * c
        parts = [*twin.encoders.parameters(), *twin.head.parameters()]
        before_clip = torch.nn.utils.clip_grad_norm_(parts, 0.8)
        for m, own in twin.auxiliary.items():
            z = twin.encoders[m](batch.x[m]).detach()
            cross_entropy(own(z), batch.y).backward()
        expected = dict(twin.named_parameters())
        for name, p in model.named_parameters():
            torch.testing.assert_close(p.grad, expected[name].grad, msg=name)
        for optimizer in optimizers:
            optimizer.step()
    assert before_clip > 0.8
    assert (share < 0).any() or (share > 1).any()  # nothing is clamped


def test_released_needs_a_linear_head():
    with pytest.raises(StudyError, match="give head: linear"):
        Bench(head="mlp").start(method("cggm", released=True))


def test_of_three_modalities_the_direction_is_a_mean():
    """In the first batch, where with rho = M / (M - 1) every balance is 1."""
    bench, cggm = Bench(("a", "b", "c")), method("cggm", rho=1.5, direction=5.0)
    model, batch = bench.start(cggm), bench.batch()
    out, y = model(batch.x), batch.y
    apart = [
        1 - cosine_similarity(*(head_gradient(x, z, y) for x in (out.auxiliary[m], out.fused)), 0)
        for m, z in out.features.items()
    ]
    expected = cross_entropy(out.fused, y) + 5.0 * torch.stack(apart).mean()
    torch.testing.assert_close(cggm.backward(model, model(batch.x), batch), expected)
