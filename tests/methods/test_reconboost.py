"""ReconBoost: one modality learns at a time, from what the others leave."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, copied, method
from torch.nn.functional import cross_entropy

from umt_lib.errors import StudyError


def test_without_stages_it_is_joint_training():
    bench = Bench(encoder="series-cnn", epochs=3)
    assert bench.alike(method("reconboost", stage=0), method("joint"))


def test_stages_take_turns_and_rectification_is_between_them():
    bench, boost = Bench(), method("reconboost", stage=2, rectify=1)
    model = bench.start(boost)
    turns = []
    for epoch in range(8):
        boost.on_epoch(model, epoch, 8)
        turns.append((boost.current, boost.first))
    a, b = ("a", False), ("b", False)
    assert turns == [("a", True)] * 2 + [(None, True), b, b, (None, False), a, a]


@pytest.mark.parametrize("current", ["a", "b"])
def test_in_a_stage_everything_else_stays(current):
    """Weights, decay, momentum and batch statistics of the rest."""
    bench, boost = Bench(encoder="series-cnn"), method("reconboost")
    model = bench.start(boost).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, 0.9, weight_decay=0.1)
    boost.step(model, optimizer, bench.batch())  # everything has momentum now
    before = copied(model.state_dict())
    boost.current, boost.first = current, False
    boost.step(model, optimizer, bench.batch(12, 24))
    moved = {n for n, v in model.state_dict().items() if not torch.equal(v, before[n])}
    mine = {n for n in before if n.startswith((f"encoders.{current}.", f"head.weights.{current}"))}
    assert moved == mine | {"head.bias"}


def stage_gradients(bench: Bench, **options) -> dict[str, torch.Tensor]:
    boost = method("reconboost", **options)
    model, batch = bench.start(boost), bench.batch()
    boost.current, boost.first = "a", False
    boost.backward(model, model(batch.x), batch)
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def test_strength_0_is_unimodal_training_in_turns():
    bench = Bench()
    found = stage_gradients(bench, reconcile=0.0, consolidate=0.0)
    model, batch = bench.start(method("joint")), bench.batch()
    cross_entropy(model(batch.x).unimodal["a"], batch.y).backward()
    for name, g in found.items():
        torch.testing.assert_close(g, dict(model.named_parameters())[name].grad)


def test_what_the_rest_gets_right_counts_less():
    bench, boost = Bench(), method("reconboost", reconcile=0.5, consolidate=0.0)
    model, batch = bench.start(boost), bench.batch()
    out = model(batch.x)
    boost.current, boost.first = "a", False
    sure = torch.full_like(out.fused, -50.0)
    sure[:6, :] = 0.0  # of the first six the rest knows nothing
    sure[range(12), batch.y] = torch.where(torch.arange(12) < 6, 0.0, 50.0)
    loss = boost.loss(out._replace(unimodal={**out.unimodal, "b": sure}), batch)
    each = cross_entropy(out.unimodal["a"], batch.y, reduction="none")
    weights = torch.tensor([1 - 0.5 / 3] * 6 + [0.5] * 6)
    torch.testing.assert_close(loss, (weights * each).mean())


def test_consolidation_has_a_gradient_and_the_released_one_has_not():
    bench = Bench()
    none, some, more = (stage_gradients(bench, consolidate=c) for c in (0.0, 1.0, 2.0))
    released = stage_gradients(bench, consolidate=2.0, released=True)
    for name, g in none.items():
        assert torch.equal(released[name], g)
        assert not torch.equal(some[name], g)
        torch.testing.assert_close(more[name] - g, 2 * (some[name] - g), atol=1e-6, rtol=1e-3)


def test_no_epochs_at_all_is_refused():
    with pytest.raises(StudyError, match="both 0"):
        Bench().start(method("reconboost", stage=0, rectify=0))


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_the_loss_of_a_stage_is_its_equation(modalities):
    bench, boost = Bench(modalities), method("reconboost", reconcile=0.3, consolidate=2.0)
    model, batch = bench.start(boost), bench.batch()
    out = model(batch.x)
    boost.current, boost.first = "b", False
    rest = sum(x for m, x in out.unimodal.items() if m != "b").detach().softmax(1)
    own, known = out.unimodal["b"], rest[range(12), batch.y]
    boosted = (1 - 0.3 * known) * cross_entropy(own, batch.y, reduction="none")
    expected = boosted.mean() + 2.0 * (own.softmax(1) - rest).square().mean()
    torch.testing.assert_close(boost.loss(out, batch), expected)
