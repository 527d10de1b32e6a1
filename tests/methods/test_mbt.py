"""MBT: bottleneck tokens are the only way from one modality to the other."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy

from umt_lib.errors import StudyError
from umt_lib.models.intermediate import positions


@pytest.mark.parametrize(("fusion", "crosses"), [(0, False), (1, False), (2, True), (3, True)])
@pytest.mark.parametrize("encoder", ["mlp", "series-cnn"])
def test_it_takes_two_fusing_layers_to_get_across(encoder, fusion, crosses):
    """One layer writes into the bottleneck, the next reads. Without: late fusion, exactly."""
    bench = Bench(encoder=encoder)
    model = bench.start(method("mbt", fusion=fusion)).eval()
    x = bench.batch().x
    other = {**x, "b": x["b"].roll(1, 0)}
    one, two = model(x).features, model(other).features
    assert torch.equal(one["a"], two["a"]) != crosses
    assert not torch.allclose(one["b"], two["b"])


def test_the_bottleneck_is_the_only_path():
    """With what is written into it thrown away, nothing gets across; averaged over modalities."""
    bench = Bench(encoder="series-cnn")
    model = bench.start(method("mbt", layers=2, fusion=2)).train()
    seen = {}
    for m, layers in model.encoders.layers.items():
        layers[0].register_forward_hook(lambda layer, x, y, m=m: seen.update({f"{m} out": y}))
        layers[1].register_forward_pre_hook(lambda layer, x, m=m: seen.update({f"{m} in": x[0]}))
    x = bench.batch().x
    model(x)
    written = (seen["a out"][:, :4] + seen["b out"][:, :4]) / 2
    for m in "ab":
        torch.testing.assert_close(seen[f"{m} in"][:, :4], written)
        assert torch.equal(seen[f"{m} in"][:, 4:], seen[f"{m} out"][:, 4:])
    for layers in model.encoders.layers.values():

        def forget(layer, inputs):
            return torch.cat([torch.zeros_like(inputs[0][:, :4]), inputs[0][:, 4:]], 1)

        layers[1].register_forward_pre_hook(forget)
    model.eval()
    other = {**x, "b": x["b"].roll(1, 0)}
    assert torch.equal(model(x).features["a"], model(other).features["a"])


def test_a_cnn_gives_one_token_per_position_and_places_differ():
    bench = Bench(encoder="series-cnn")
    model = bench.start(method("mbt"))
    x = bench.batch().x["a"]
    assert model.encoders.tokens("a", x).shape == (12, x.shape[2] // 2, 64)
    assert Bench().start(method("mbt")).encoders.tokens("a", Bench().batch().x["a"]).shape[1] == 1
    assert torch.pdist(positions(50, 64)).min() > 0.5
    sines = [[0.0, 0.0, 1.0, 1.0], [*map(math.sin, (1, 0.01)), *map(math.cos, (1, 0.01))]]
    torch.testing.assert_close(positions(2, 4), torch.tensor(sines))


def test_the_order_of_positions_matters():
    """A transformer without position encodings would give the same mean over its tokens."""
    bench = Bench(encoder="series-cnn")
    model = bench.start(method("mbt")).eval()
    model.encoders.stages["a"] = torch.nn.ModuleList()  # the input is the map
    x = {**bench.batch().x, "a": torch.randn(12, model.encoders.embed["a"][0].in_features, 5)}
    turned = {**x, "a": x["a"].flip(2)}
    assert not torch.allclose(model(x).features["a"], model(turned).features["a"], atol=1e-4)


def test_token_losses_train_each_prediction_on_its_own():
    bench, mbt = Bench(), method("mbt", token_losses=True)
    model, batch = bench.start(mbt), bench.batch()
    out = model(batch.x)
    own = {m: 2 * logits for m, logits in out.unimodal.items()}
    torch.testing.assert_close(sum(own.values()) / 2, out.fused)
    expected = sum(cross_entropy(logits, batch.y) for logits in own.values()) / 2
    torch.testing.assert_close(mbt.loss(out, batch), expected)
    assert torch.equal(method("mbt").loss(out, batch), cross_entropy(out.fused, batch.y))


def test_the_gradient_is_cut_to_norm_1_in_its_direction():
    bench, mbt = Bench(), method("mbt")
    model, batch = bench.start(mbt), bench.batch()
    torch.nn.init.normal_(model.head.weights["a"], std=20.0)
    cross_entropy(model(batch.x).fused, batch.y).backward()
    whole = torch.cat([p.grad.flatten() for p in model.parameters()])
    assert whole.norm() > 1
    model.zero_grad()
    mbt.backward(model, model(batch.x), batch)
    cut = torch.cat([p.grad.flatten() for p in model.parameters()])
    torch.testing.assert_close(cut, whole / whole.norm(), atol=1e-6, rtol=1e-4)


def test_more_fusion_than_layers_is_refused():
    with pytest.raises(StudyError, match=r"method\.fusion is 4, but method\.layers only 3"):
        Bench().start(method("mbt", fusion=4))


def test_of_three_modalities_each_prediction_is_three_times_its_part():
    bench, mbt = Bench(("a", "b", "c")), method("mbt", token_losses=True)
    model, batch = bench.start(mbt), bench.batch()
    out = model(batch.x)
    own = [3 * logits for logits in out.unimodal.values()]
    torch.testing.assert_close(sum(own) / 3, out.fused)
    expected = sum(cross_entropy(logits, batch.y) for logits in own) / 3
    torch.testing.assert_close(mbt.loss(out, batch), expected)
