"""MLA: turns at one head, each leaving alone what the others' features need."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, copied, method, same

from umt_lib.errors import StudyError
from umt_lib.methods import METHODS
from umt_lib.study.experiments.params import named


def sgd(model: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), 0.5)


def test_without_projection_turns_are_plain_training_of_one_head():
    """alpha infinite is the released update, bit for bit, and that is CE in turns."""
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    model, progress = bench.train(method("mla", alpha=torch.inf))
    released, same_progress = bench.train(method("mla", released="fixed"))
    assert same(model.state_dict(), released.state_dict())
    assert progress.curves["train_loss"] == same_progress.curves["train_loss"]

    mla = method("mla", released="fixed")
    one, two = bench.start(mla), bench.start(mla)
    batch = bench.batch()
    mla.step(one, sgd(one), batch)
    optimizer = sgd(two)
    for m in ("a", "b"):
        optimizer.zero_grad()
        logits = two.head(two.encoders[m](batch.x[m]))
        torch.nn.functional.cross_entropy(logits, batch.y).backward()
        optimizer.step()
    assert same(one.state_dict(), two.state_dict())


def test_a_turn_does_not_move_what_the_head_says_of_the_others_features(monkeypatch):
    """With little alpha dW r = 0 for the mean feature r of the modality before."""
    bench, mla = Bench(), method("mla", alpha=1e-4)
    model, batch = bench.start(mla), bench.batch()
    r = model(batch.x).features["a"].mean(0).detach()
    weights = []
    encode = model.encode
    monkeypatch.setattr(
        model, "encode", lambda m, x: weights.append(model.head.weight.clone()) or encode(m, x)
    )
    mla.step(model, sgd(model), batch)
    weights.append(model.head.weight.clone())
    turn_a, turn_b = weights[1] - weights[0], weights[2] - weights[1]
    assert (turn_a @ r).norm() > 0.05 * turn_a.norm() * r.norm()
    assert turn_b.norm() > 1e-3
    assert (turn_b @ r).norm() < 1e-3 * turn_b.norm() * r.norm()


def test_less_alpha_changes_the_head_and_no_encoder_of_the_first_turn():
    bench = Bench()
    after = {}
    for alpha in (1e-4, 1.0, 1e6):
        mla = method("mla", alpha=alpha)
        model = bench.start(mla)
        mla.step(model, sgd(model), bench.batch())
        after[alpha] = copied(model.state_dict())
    for name in after[1.0]:
        equal = torch.equal(after[1e-4][name], after[1.0][name])
        assert equal == (name != "head.weight"), name
    start = bench.start(method("mla")).state_dict()
    assert not any(torch.equal(after[1.0][n], start[n]) for n in start)


def test_each_modality_is_projected_from_all_others_and_not_from_itself():
    bench = Bench(("sight", "sound", "touch"))
    mla = method("mla", alpha=1e-6)
    bench.start(mla)
    r = torch.randn(6)
    mla.project_out("sound", r)
    assert torch.equal(mla.free["sound"], torch.eye(6))
    for m in ("sight", "touch"):
        assert (mla.free[m] @ r).norm() < 1e-4 * r.norm()
        torch.testing.assert_close(mla.free[m], mla.free[m].T)


def test_the_projection_is_that_of_recursive_least_squares():
    """P = (I + sum r r^T / alpha)^-1."""
    mla = method("mla", alpha=0.7)
    Bench().start(mla)
    seen = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))
    for r in seen:
        mla.project_out("a", r)
    exact = torch.linalg.inv(torch.eye(6) + seen.T @ seen / 0.7)
    torch.testing.assert_close(mla.free["b"], exact, atol=1e-5, rtol=1e-4)


def test_the_surer_modality_counts_for_more_sample_by_sample():
    sure, unsure = torch.tensor([4.0, 0.0, 0.0]), torch.tensor([0.0, 0.1, 0.0])
    a, b = torch.stack([sure, unsure]), torch.stack([unsure, sure])
    out = Bench().start(method("mla"))(Bench().batch().x)._replace(unimodal={"a": a, "b": b})
    logits = method("mla").predict(out)
    torch.testing.assert_close(logits[0], logits[1])
    p = sure.softmax(0), unsure.softmax(0)
    weights = torch.stack([(x * x.log()).sum() for x in p]).softmax(0)
    torch.testing.assert_close(logits[0], weights[0] * sure + weights[1] * unsure)
    alone = method("mla").predict(out._replace(unimodal={"a": a[:1], "b": b[:1]}))
    assert torch.equal(alone[0], logits[0])  # no sample changes another's weights


def outputs(samples: int):
    """What a model gives for many samples, b more certain in the second half."""
    stream = torch.Generator().manual_seed(3)
    a, b = torch.randn(2, samples, 3, generator=stream)
    b[samples // 2 :] *= 6
    return Bench().start(method("mla"))(Bench().batch().x)._replace(unimodal={"a": a, "b": b})


def test_released_fixed_is_the_mean_of_the_logits():
    out = outputs(10)
    logits = method("mla", released="fixed").predict(out)
    torch.testing.assert_close(logits, (out.unimodal["a"] + out.unimodal["b"]) / 2)


def test_released_dynamic_has_one_pair_of_weights_for_64_samples_in_their_order():
    """The released code: probabilities over the samples of a batch, one entropy per modality."""
    out, released = outputs(150), method("mla", released="dynamic")
    logits, expected = released.predict(out), []
    for rows in (slice(0, 64), slice(64, 128), slice(128, 150)):
        a, b = (out.unimodal[m][rows] for m in ("a", "b"))
        entropies = [-(x.softmax(0) * x.softmax(0).log()).sum() for x in (a, b)]
        most = max(entropies)
        shares = torch.stack([(most - e).exp() for e in entropies])
        expected.append((shares[0] * a + shares[1] * b) / shares.sum())
    torch.testing.assert_close(logits, torch.cat(expected))
    assert not torch.allclose(logits, method("mla").predict(out))
    first = out._replace(unimodal={m: x[:64] for m, x in out.unimodal.items()})
    assert torch.equal(released.predict(first), logits[:64])
    fewer = out._replace(unimodal={m: x[:63] for m, x in out.unimodal.items()})
    assert not torch.allclose(released.predict(fewer), logits[:63])


def test_released_names_one_of_the_two_ways():
    for value in (False, "fixed", "dynamic"):
        named(METHODS, {"name": "mla", "released": value}, "mla.yaml", "method")
    with pytest.raises(StudyError, match=r"method\.released: .*'fixed' or 'dynamic'"):
        named(METHODS, {"name": "mla", "released": True}, "mla.yaml", "method")


def test_encoders_of_different_widths_are_refused():
    bench = Bench()
    made = bench.make()
    made.encoders["b"].dim = 7
    with pytest.raises(StudyError, match=r"'mla' has one head.*'a': 6, 'b': 7.*same width"):
        method("mla").build(lambda: made, {})
