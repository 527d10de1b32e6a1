"""MMLoRA: what adapts is of low rank, and all else of an encoder is the teacher's."""

from __future__ import annotations

import pytest
import torch
from tiny import Bench, method

every_encoder = pytest.mark.parametrize("encoder", ["mlp", "series-cnn", "image-cnn"])


@every_encoder
def test_before_the_first_step_it_is_frozen(encoder):
    bench = Bench(encoder=encoder, epochs=1, samples=60)
    model, frozen = bench.start(method("mmlora")), bench.start(method("frozen"))
    x = bench.batch().x
    for m, z in frozen(x).features.items():
        torch.testing.assert_close(model(x).features[m], z, rtol=1e-6, atol=1e-6)


@every_encoder
def test_layers_change_by_the_rank_and_nothing_else_changes(encoder):
    bench = Bench(encoder=encoder, epochs=3, samples=60)
    start = bench.start(method("mmlora", rank=2)).encoders
    model, _ = bench.train(method("mmlora", rank=2))
    adapted = 0
    for name, layer in model.encoders.named_modules():
        if hasattr(layer, "parametrizations"):
            original = layer.parametrizations.weight.original
            assert torch.equal(original, start.get_submodule(name).weight)
            change = (layer.weight - original).flatten(1)
            assert torch.linalg.matrix_rank(change, rtol=1e-4) in (1, 2)
            adapted += 1
    assert adapted >= 4
    for name, value in start.state_dict().items():
        same = torch.equal(model.encoders.state_dict()[name], value)
        assert same == (not name.endswith((".a", ".b"))), name


def test_a_rank_learns_only_its_two_factors_and_the_head():
    model = Bench().start(method("mmlora", rank=3))
    learned = {n: p for n, p in model.encoders.named_parameters() if p.requires_grad}
    assert {n.rsplit(".", 1)[1] for n in learned} == {"a", "b"}
    assert all(p.requires_grad for p in model.head.parameters())
    assert {p.shape[0] for n, p in learned.items() if n.endswith(".a")} == {3}
    assert {p.shape[1] for n, p in learned.items() if n.endswith(".b")} == {3}
