"""Joint training: cross-entropy of the fused logits, and nothing else."""

import torch
from tiny import Bench, method


def test_the_loss_is_the_cross_entropy_of_the_fused_logits():
    bench, joint = Bench(), method("joint")
    model, batch = bench.start(joint), bench.batch()
    out = model(batch.x)
    by_hand = -out.fused.softmax(1)[torch.arange(len(batch.y)), batch.y].log().mean()
    torch.testing.assert_close(joint.loss(out, batch), by_hand)


def test_every_parameter_learns():
    bench, joint = Bench(), method("joint")
    gradients = bench.gradients(joint)
    assert gradients.keys() == dict(bench.start(joint).named_parameters()).keys()
    assert all(gradient.any() for gradient in gradients.values())
