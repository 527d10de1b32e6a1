"""MMCosine: logits are scaled cosines, so norms of features and weights do not matter."""

from __future__ import annotations

import math

import torch
from tiny import Bench, copied, method, same

from umt_lib.methods import METHODS
from umt_lib.methods.mmcosine import CosineHead
from umt_lib.models.heads import LinearHead


def head(scale: float, plain: bool = False) -> CosineHead:
    """A head for a feature of 2 and one of 1 dimensions and two classes."""
    linear = LinearHead({"a": 2, "b": 1}, 2)
    with torch.no_grad():
        linear.weights["a"].copy_(torch.tensor([[3.0, 4.0], [0.0, -2.0]]))
        linear.weights["b"].copy_(torch.tensor([[0.5], [-7.0]]))
        linear.bias.copy_(torch.tensor([10.0, 20.0]))
    return CosineHead(linear, scale, plain)


Z = {"a": torch.tensor([[0.0, 6.0], [1.0, 1.0]]), "b": torch.tensor([[0.1], [-30.0]])}


def test_logits_are_scaled_cosines_without_a_bias():
    fused, unimodal = head(5.0)(Z)
    right = 1 / math.sqrt(2)
    a = torch.tensor([[0.8, -1.0], [right * 1.4, -right]])
    b = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    torch.testing.assert_close(unimodal["a"], 5 * a)
    torch.testing.assert_close(unimodal["b"], 5 * b)
    torch.testing.assert_close(fused, 5 * (a + b))
    assert all(torch.equal(x, unimodal[m]) for m, x in head(5.0).unimodal_logits(Z).items())


def test_features_and_weights_of_length_1_make_it_the_linear_head():
    cosine = head(1.0)
    with torch.no_grad():
        for w in cosine.linear.weights.values():
            w /= w.norm(dim=1, keepdim=True)
        cosine.linear.bias.zero_()
    z = {m: x / x.norm(dim=1, keepdim=True) for m, x in Z.items()}
    torch.testing.assert_close(cosine(z), cosine.linear(z))


def test_no_modality_leads_by_its_norm():
    """Features or weights of a 100 times as long: the same loss; in joint training another one."""
    bench = Bench()
    batch = bench.batch()
    for name, times in (("mmcosine", False), ("joint", True)):
        model = bench.start(method(name))
        features = model(batch.x).features
        loss = method(name).loss(model.fuse(features), batch)
        longer = method(name).loss(model.fuse({**features, "a": 100 * features["a"]}), batch)
        assert (abs(longer - loss) > 0.1) == times
        with torch.no_grad():
            weights = model.head.weights if name == "joint" else model.head.linear.weights
            weights["a"] *= 100
        assert (abs(method(name).loss(model.fuse(features), batch) - loss) > 0.1) == times


def test_every_weight_learns_and_the_bias_does_not():
    bench = Bench()
    gradients = bench.gradients(method("mmcosine"))
    parameters = {name for name, _ in bench.start(method("mmcosine")).named_parameters()}
    assert parameters - gradients.keys() == {"head.linear.bias"}
    assert all(g.any() for g in gradients.values())


def test_a_feature_of_zeros_gives_zeros_and_finite_gradients():
    cosine = head(5.0)
    z = {m: torch.zeros_like(x).requires_grad_() for m, x in Z.items()}
    fused, _ = cosine(z)
    assert not fused.any()
    fused.sum().backward()
    assert all(x.grad.isfinite().all() for x in z.values())


def test_released_trains_alike_and_predicts_by_the_plain_layer():
    bench = Bench(encoder="series-cnn", epochs=3, samples=60)
    released, paper = method("mmcosine", released=True), method("mmcosine")
    start = copied(bench.start(released).state_dict())
    model, progress = bench.train(released)
    _, papers = bench.train(paper)
    assert progress.curves["train_loss"] == papers.curves["train_loss"]
    assert progress.curves["validation_nll"] != papers.curves["validation_nll"]
    assert torch.equal(model.head.linear.bias, start["head.linear.bias"])
    assert not same(model.state_dict(), start)

    model.eval()
    out = model(bench.batch().x)
    plain = sum(z @ model.head.linear.weights[m].T for m, z in out.features.items())
    torch.testing.assert_close(out.fused, plain + model.head.linear.bias)
    torch.testing.assert_close(sum(out.unimodal.values()), out.fused)
    model.train()
    cosines = model.fuse(out.features).fused
    assert not torch.allclose(cosines, out.fused)
    assert cosines.abs().max() <= 2 * 10


def test_other_heads_are_refused():
    """Because of this attribute; that it is heeded is tested with the params files."""
    assert METHODS["mmcosine"].needs_unimodal_logits
