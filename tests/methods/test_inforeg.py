"""InfoReg: a modality that leads is held near the weights it had at the start of the epoch."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy

from umt_lib.errors import StudyError
from umt_lib.methods.inforeg import growth, leads, released_growth
from umt_lib.paths import PARAMS
from umt_lib.study.experiments import params


def encoder_parts(model, m):
    return list(model.encoders[m].parameters())


@pytest.mark.parametrize("off", [{"strength": 0.0}, {"threshold": 1.0}])
def test_switched_off_it_is_joint_training(off):
    """No trace can grow by its whole self."""
    bench = Bench(encoder="series-cnn", epochs=5, samples=60)
    assert bench.alike(method("inforeg", **off), method("joint"))
    assert not bench.alike(method("inforeg", threshold=0.0), method("joint"))


def test_leads_are_the_mean_distances_to_all_scores_below():
    found = leads(torch.tensor([-1.0, -3.0, -2.0, -3.0]))
    torch.testing.assert_close(found, torch.tensor([(2 + 1 + 2) / 3, 0.0, 1.0, 0.0]))


def prepared(bench, inforeg, epoch=2):
    """A model some way from where the epoch began, in the window of both modalities."""
    model = bench.start(inforeg)
    inforeg.on_epoch(model, 0, 9)
    for earlier in range(1, epoch + 1):
        inforeg.trace = torch.full((len(bench.modalities),), float(earlier))
        inforeg.on_epoch(model, earlier, 9)
    stream = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in model.encoders.parameters():
            p += 0.1 * torch.randn(p.shape, generator=stream)
    return model


@pytest.mark.parametrize("modalities", [("a", "b"), ("a", "b", "c")])
def test_the_gradient_is_that_of_the_loss_with_the_regulation_term(modalities):
    """As the paper's equations (10), (12) and (16) write it, for every modality."""
    bench, batch = Bench(modalities), Bench(modalities).batch()
    inforeg = method("inforeg", strength=0.7, beta=0.9)
    model = prepared(bench, inforeg)
    out = model(batch.x)
    inforeg.backward(model, out, batch)
    found = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    out = model(batch.x)
    s = {m: -cross_entropy(x, batch.y).item() for m, x in out.unimodal.items()}
    loss, held = cross_entropy(out.fused, batch.y), 0
    for m in modalities:
        below = [s[m] - s[j] for j in modalities if s[j] < s[m]]
        if below:
            alpha = 0.7 * math.exp(0.9 * math.tanh(sum(below) / len(below)))
            moved = zip(encoder_parts(model, m), inforeg.before[m], strict=True)
            loss = loss + alpha / 2 * sum(((p - w) ** 2).sum() for p, w in moved)
            held += 1
    assert held == len(modalities) - 1
    loss.backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(found[name], p.grad, msg=name)


@pytest.mark.parametrize(
    ("traces", "inside"),
    [([], False), ([1.0], False), ([1.0, 1.1], True), ([1.0, 1.041], False), ([2.0, 1.0], False)],
)
def test_only_growing_traces_are_in_the_window_and_no_epoch_before_the_third(traces, inside):
    """A growth of 0.1 / 1.1 is above 0.04, one of 0.041 / 1.041 is not."""
    bench, inforeg = Bench(), method("inforeg")
    model = bench.start(inforeg)
    inforeg.on_epoch(model, 0, 9)
    for epoch, trace in enumerate(traces, start=1):
        inforeg.trace = torch.tensor([trace, 1.0])
        inforeg.on_epoch(model, epoch, 9)
    assert inforeg.acquires.tolist() == [inside, False]


def test_the_trace_is_the_sum_of_squared_gradients_of_the_loss():
    """Of the loss without the regulation term, over the batches of an epoch."""
    bench, inforeg = Bench(), method("inforeg", strength=5.0)
    model = prepared(bench, inforeg)
    expected = torch.zeros(2)
    for batch in (bench.batch(0, 12), bench.batch(12, 40)):
        model.zero_grad()
        inforeg.backward(model, model(batch.x), batch)
        model.zero_grad()
        cross_entropy(model(batch.x).fused, batch.y).backward()
        for i, m in enumerate("ab"):
            expected[i] += sum(p.grad.square().sum() for p in encoder_parts(model, m))
    torch.testing.assert_close(inforeg.trace, expected)
    inforeg.on_epoch(model, 3, 9)
    torch.testing.assert_close(inforeg.past[0], expected)
    assert not inforeg.trace.any()


def test_released_never_holds_back_the_second_modality():
    """Whichever leads: both own heads in turn are made right about every label."""
    bench, batch = Bench(), Bench().batch()
    for leader in "ab":
        inforeg = method("inforeg", released=True)
        model = prepared(bench, inforeg)
        out = model(batch.x)
        sure = torch.nn.functional.one_hot(batch.y, 3) * 9.0
        own = {m: sure if m == leader else torch.zeros_like(sure) for m in "ab"}
        strengths = inforeg.strengths(out._replace(auxiliary=own), batch.y)
        p = (sure.softmax(1) * (sure > 0)).sum() - 12 / 3
        first = 0.95 * math.exp(math.tanh(p.item())) if leader == "a" else 0.0
        assert strengths.tolist() == pytest.approx([first, 0.0])


def test_released_trains_own_heads_and_counts_the_added_gradient():
    bench, batch = Bench(), Bench().batch()
    inforeg = method("inforeg", released=True, strength=3.0)
    model = prepared(bench, inforeg)
    out = model(batch.x)
    alpha = inforeg.strengths(out, batch.y)
    inforeg.backward(model, out, batch)
    found = {n: p.grad.clone() for n, p in model.named_parameters()}
    model.zero_grad()
    out = model(batch.x)
    own = sum(cross_entropy(x, batch.y) for x in out.auxiliary.values())
    (cross_entropy(out.fused, batch.y) + own).backward()
    traces = []
    for m, a in zip("ab", alpha, strict=True):
        for p, w in zip(encoder_parts(model, m), inforeg.before[m], strict=True):
            p.grad += a * (p - w)
        traces.append(sum(p.grad.square().mean() for p in encoder_parts(model, m) if p.ndim > 1))
    for name, p in model.named_parameters():
        torch.testing.assert_close(found[name], p.grad, msg=name)
    torch.testing.assert_close(inforeg.trace, torch.stack(traces))


def test_the_two_windows_differ():
    """A trace that shrinks by a tenth each epoch: no window in the paper, ten epochs as released.

    ``growth`` of the released code is computed as it computes it, from two means of ten epochs with
    zeros before the first.
    """
    recorded, paper, released = [0.0] * 10, [], []
    for epoch in range(14):
        past = torch.tensor([*recorded[::-1], 0.0][:11])[:, None]
        newer, older = sum(recorded[-10:]) / 10, sum(recorded[-11:-1]) / 10
        theirs = 1.0 if epoch == 0 else (newer - older) / newer
        assert released_growth(past).item() == pytest.approx(theirs)
        released.append(theirs > 0.04)
        paper.append(epoch >= 2 and growth(past).item() > 0.04)
        recorded.append(0.9**epoch)
    assert not any(paper)
    assert released == [True] * 11 + [False] * 3


def test_released_is_for_two_modalities():
    with pytest.raises(StudyError, match=r"method\.released of 'inforeg' .*two modalities, not 3"):
        Bench(("a", "b", "c")).start(method("inforeg", released=True))


def test_params_files_give_released_two_modalities():
    specs = [params.read(file) for file in PARAMS.glob("*-inforeg-released.yaml")]
    assert specs
    assert {len(spec["encoders"]) for spec in specs} == {2}


def test_an_encoder_is_held_near_its_weights_at_the_start_of_the_epoch():
    """Not near those it had before the first epoch."""
    bench, inforeg = Bench(), method("inforeg")
    model = bench.start(inforeg)
    for epoch in (1, 2):
        with torch.no_grad():
            for p in model.encoders.parameters():
                p += 0.1
        inforeg.on_epoch(model, epoch, 9)
        for m in "ab":
            for p, w in zip(encoder_parts(model, m), inforeg.before[m], strict=True):
                assert torch.equal(p, w)
