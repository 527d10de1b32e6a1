"""Balanced MMTM: the gates of whoever races ahead are held at their mean for a while."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, copied, method

from umt_lib.methods.balanced_mmtm import MeanGate, speeds


@pytest.mark.parametrize("encoder", ["mlp", "series-cnn"])
def test_never_out_of_balance_is_mmtm(encoder):
    bench = Bench(encoder=encoder, epochs=3, samples=60)
    one, progress = bench.train(method("balanced-mmtm", epsilon=torch.inf))
    two, same_progress = bench.train(method("mmtm"))
    state = one.state_dict()
    assert all(torch.equal(state[name], value) for name, value in two.state_dict().items())
    assert progress.curves == same_progress.curves


def test_a_held_gate_answers_with_its_mean_and_tells_nothing_of_the_others():
    torch.manual_seed(0)
    gate = MeanGate({"a": 3, "b": 2})
    first, second = ({"a": torch.randn(4, 3), "b": torch.randn(4, 2)} for _ in range(2))
    seen = [gate.gates(maps) for maps in (first, second)]
    mean = torch.stack([g["a"] for g in seen]).mean((0, 1))
    torch.testing.assert_close(gate.mean_a, mean)
    gate.held = "a"
    held = gate(first)
    torch.testing.assert_close(held["a"], first["a"] * gate.mean_a)
    torch.testing.assert_close(held["b"], first["b"] * seen[0]["b"])
    assert held["a"].grad_fn is None
    gate.eval()
    assert torch.equal(gate.gates(first)["a"], seen[0]["a"])


def test_speeds_are_squared_gradients_over_squared_weights():
    bench, balanced = Bench(), method("balanced-mmtm")
    model, batch = bench.start(balanced), bench.batch()
    method("joint").backward(model, model(batch.x), batch)
    trunk = model.encoders

    def ratio(*modules):
        parts = [p for module in modules for p in module.parameters()]
        g, w = (sum(t.square().sum() for t in x) for x in ([p.grad for p in parts], parts))
        return (g / w).item()

    found = speeds(trunk)
    for i, m in enumerate("ab"):
        gates = [part for gate in trunk.gates for part in (gate.squeeze, gate.excite[m])]
        assert found[0, i].item() == pytest.approx(ratio(*gates), rel=1e-5)
        assert found[1, i].item() == pytest.approx(ratio(trunk.stages[m]), rel=1e-5)


def test_the_fastest_is_held_for_the_window_and_the_first_epoch_only_watches():
    bench, balanced = Bench(), method("balanced-mmtm", epsilon=0.0, window=2)
    model, batch = bench.start(balanced), bench.batch()
    optimizer = torch.optim.SGD(model.parameters(), 0.0)

    def held() -> set[str | None]:
        return {gate.held for gate in model.encoders.gates}

    balanced.on_epoch(model, 0, 4)
    balanced.step(model, optimizer, batch)
    assert held() == {None}
    balanced.on_epoch(model, 1, 4)
    balanced.step(model, optimizer, batch)
    fastest = "ab"[int((balanced.sums[0] / balanced.sums[1]).argmax())]
    assert held() == {fastest}
    sums = balanced.sums.clone()
    balanced.step(model, optimizer, batch)
    assert held() == {fastest}
    balanced.step(model, optimizer, batch)
    assert held() == {None}
    assert torch.equal(balanced.sums, sums)  # steps with held gates do not count


def test_held_gates_get_no_gradient():
    bench, balanced = Bench(), method("balanced-mmtm")
    model, batch = bench.start(balanced), bench.batch()
    before = copied(dict(model.named_parameters()))
    for gate in model.encoders.gates:
        gate.held = "a"
    method("joint").backward(model, model(batch.x), batch)
    for name, p in model.named_parameters():
        if "excite.a" in name:
            assert p.grad is None, name
        elif "excite.b" in name:
            assert p.grad.any(), name
    assert before.keys() == dict(model.named_parameters()).keys()


def test_speeds_are_summed_over_the_steps():
    bench, balanced = Bench(), method("balanced-mmtm", epsilon=torch.inf)
    model, expected = bench.start(balanced), torch.zeros(2, 2)
    for batch in (bench.batch(0, 12), bench.batch(12, 40)):
        model.zero_grad()
        balanced.backward(model, model(batch.x), batch)
        expected += speeds(model.encoders)
    torch.testing.assert_close(balanced.sums, expected)


@pytest.mark.parametrize(("epsilon", "held"), [(0.95, "a"), (1.05, None)])
def test_epsilon_is_a_difference_of_decimal_logarithms(epsilon, held):
    bench, balanced = Bench(), method("balanced-mmtm", epsilon=epsilon)
    model, batch = bench.start(balanced), bench.batch()
    balanced.on_epoch(model, 1, 4)
    balanced.sums = torch.tensor([[1e10, 1e9], [1e9, 1e9]])  # one step adds next to nothing
    balanced.backward(model, model(batch.x), batch)
    assert {gate.held for gate in model.encoders.gates} == {held}
