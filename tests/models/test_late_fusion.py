"""Late fusion: names, uni-modal logits, frozen encoders, and one start for all methods."""

import pytest
import torch
from tiny import ENCODERS, Bench, same

from umt_lib import models


@pytest.mark.parametrize("head", models.HEADS)
def test_the_output_of_each_head(head):
    bench = Bench(("a", "b", "c"), head=head)
    model, batch = bench.make(auxiliary=True), bench.batch()
    out = model(batch.x)
    assert list(out.features) == list(out.auxiliary) == ["a", "b", "c"]
    assert out.fused.shape == out.auxiliary["b"].shape == (12, 3)
    if head == "linear":
        torch.testing.assert_close(sum(out.unimodal.values()), out.fused)
    else:
        assert out.unimodal == {}


def test_a_model_of_one_modality_ignores_the_others():
    bench = Bench()
    model, x = bench.make(("b",)), bench.batch().x
    assert list(model(x).features) == ["b"]
    assert torch.equal(model(x).fused, model({"b": x["b"]}).fused)


def test_encoders_start_alike_whatever_follows_them():
    """So methods with another head or with own heads differ in nothing else at the start."""
    starts = []
    for head, auxiliary in (("linear", False), ("linear", True), ("mlp", False)):
        torch.manual_seed(0)
        starts.append(Bench(head=head).make(auxiliary=auxiliary))
    assert same(starts[0].encoders.state_dict(), starts[2].encoders.state_dict())
    assert same(starts[0].encoders.state_dict(), starts[1].encoders.state_dict())
    assert same(starts[0].head.state_dict(), starts[1].head.state_dict())


def test_frozen_encoders_stay_in_evaluation_mode():
    bench = Bench(encoder="series-cnn")
    model, x = bench.make(), bench.batch().x
    loose = bench.make()
    model.freeze_encoders()
    before = {n: t.clone() for n, t in model.encoders.state_dict().items()}
    moving = {n: t.clone() for n, t in loose.encoders.state_dict().items()}
    for each in (model, loose):
        each.train()
        each(x)
    assert model.head.training
    assert same(model.encoders.state_dict(), before)
    assert not same(loose.encoders.state_dict(), moving)
    assert {n for n, p in model.named_parameters() if p.requires_grad} == {
        f"head.{n}" for n, _ in model.head.named_parameters()
    }


def test_bf16_gives_float32_near_the_reference():
    reference, rough = Bench(encoder="image-cnn"), Bench(encoder="image-cnn", precision="bf16")
    outs = []
    for bench in (reference, rough):
        torch.manual_seed(0)
        outs.append(bench.make()(bench.batch().x))
    for exact, near in zip(outs[0].features.values(), outs[1].features.values(), strict=True):
        assert near.dtype == outs[1].fused.dtype == torch.float32
        assert not torch.equal(exact, near)
        torch.testing.assert_close(near, exact, atol=0.1, rtol=0.1)


def test_build_passes_the_options_on():
    model = models.build({"a": ENCODERS["mlp"]}, {"name": "mlp", "hidden": 5}, {"a": (6,)}, 3)
    assert model.head.layers[0].out_features == 5
    assert model.encoders["a"].dim == 6
