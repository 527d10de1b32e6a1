"""MMTM: gates through which every modality sees the others' maps."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, method

from umt_lib.models import ENCODERS
from umt_lib.models.intermediate import Gate, Gated


@pytest.mark.parametrize("encoder", ["mlp", "series-cnn", "image-cnn"])
def test_open_gates_are_joint_training(encoder):
    """W_m = 0 gives gates of 1: forward and three updates, bit for bit, gates held."""
    bench = Bench(encoder=encoder)
    model, joint = bench.start(method("mmtm")), bench.start(method("joint"))
    for gate in model.encoders.gates.requires_grad_(False):
        for excite in gate.excite.values():
            torch.nn.init.zeros_(excite.weight)
            torch.nn.init.zeros_(excite.bias)
    for trained in (model, joint):
        learned = [p for p in trained.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(learned, 0.1, 0.9)
        for start in (0, 40, 80):
            method("mmtm").step(trained, optimizer, bench.batch(start, start + 40))
    x = bench.batch().x
    for m, z in joint(x).features.items():
        assert torch.equal(model(x).features[m], z)
    assert torch.equal(model(x).fused, joint(x).fused)


@pytest.mark.parametrize("encoder", ["mlp", "series-cnn"])
def test_one_modality_changes_the_features_of_the_other(encoder):
    bench = Bench(encoder=encoder)
    model, joint = bench.start(method("mmtm")).eval(), bench.start(method("joint")).eval()
    x = bench.batch().x
    other = {**x, "b": x["b"].roll(1, 0)}
    assert torch.equal(joint(x).features["a"], joint(other).features["a"])
    assert not torch.allclose(model(x).features["a"], model(other).features["a"])


def test_a_gate_is_its_equation():
    torch.manual_seed(0)
    gate = Gate({"a": 3, "b": 5})
    maps = {"a": torch.randn(4, 3, 2, 7), "b": torch.randn(4, 5)}
    out = gate(maps)
    squeezed = torch.cat([maps["a"].mean((2, 3)), maps["b"]], 1)
    e = (squeezed @ gate.squeeze.weight.T + gate.squeeze.bias).relu()
    assert e.shape == (4, 2)
    for m, w in gate.excite.items():
        g = 2 * torch.sigmoid(e @ w.weight.T + w.bias)
        g = g[:, :, None, None] if m == "a" else g
        torch.testing.assert_close(out[m], maps[m] * g)
        assert out[m].shape == maps[m].shape


@pytest.mark.parametrize("ratio", [1, 2, 4, 100])
def test_the_ratio_reduces_what_all_maps_have_together(ratio):
    """Of the series encoders: 4 and 6 channels a modality, at least one is left."""
    gates = Bench(encoder="series-cnn").start(method("mmtm", ratio=ratio)).encoders.gates
    assert [g.squeeze.out_features for g in gates] == [max(1, c // ratio) for c in (8, 12)]


def test_gates_learn():
    bench = Bench(encoder="series-cnn", epochs=1)
    before = bench.start(method("mmtm")).encoders.gates.state_dict()
    model, _ = bench.train(method("mmtm"))
    after = model.encoders.gates.state_dict()
    assert len(model.encoders.gates) == 2
    assert all(not torch.equal(after[n], v) for n, v in before.items())


def test_the_head_may_be_any():
    bench = Bench(head="attention", epochs=1)
    model, _ = bench.train(method("mmtm"))
    assert bench.predict(method("mmtm"), model).isfinite().all()


def test_gates_follow_the_last_three_stages():
    channels = (2, 3, 5, 7)
    encoders = {m: ENCODERS["series-cnn"]((2, 16), channels=channels) for m in "ab"}
    gates = Gated(torch.nn.ModuleDict(encoders)).gates
    assert [gate.excite["b"].out_features for gate in gates] == [3, 5, 7]
