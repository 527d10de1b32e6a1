"""Joint + uni-modal cross-entropy: the own heads pull on the encoders, not on the fusion head."""

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import cross_entropy


def fused_part(state: dict) -> dict:
    return {name: value for name, value in state.items() if not name.startswith("auxiliary.")}


def test_weight_0_is_joint_training():
    """The fused model, bit for bit, whatever weight decay and momentum do to unused heads."""
    bench = Bench()
    model, progress = bench.train(method("joint-auxiliary", weight=0.0))
    joint, joint_progress = bench.train(method("joint"))
    found = fused_part(model.state_dict())
    assert found.keys() == joint.state_dict().keys() != model.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in joint.state_dict().items())
    assert progress.curves == joint_progress.curves


def test_the_weight_changes_encoders_and_own_heads_only():
    bench = Bench()
    joint = bench.gradients(method("joint"))
    one = bench.gradients(method("joint-auxiliary", weight=1.0))
    three = bench.gradients(method("joint-auxiliary", weight=3.0))
    for name, gradient in one.items():
        if name.startswith("head."):
            assert torch.equal(gradient, joint[name])
            assert torch.equal(three[name], joint[name])
        elif name.startswith("encoders."):
            assert not torch.equal(gradient, joint[name])
            pull = gradient - joint[name]
            torch.testing.assert_close(three[name] - joint[name], 3 * pull, atol=1e-6, rtol=1e-4)
        else:
            torch.testing.assert_close(three[name], 3 * gradient)
            assert gradient.any()


@pytest.mark.parametrize("modality", ["a", "b"])
def test_an_own_head_sees_its_own_modality(modality):
    bench, auxiliary = Bench(), method("joint-auxiliary")
    model, batch = bench.start(auxiliary), bench.batch()
    out = model(batch.x)
    own = cross_entropy(model.auxiliary[modality](out.features[modality]), batch.y)
    (expected,) = torch.autograd.grad(own, model.auxiliary[modality].weight, retain_graph=True)
    auxiliary.loss(out, batch).backward()
    torch.testing.assert_close(model.auxiliary[modality].weight.grad, expected)


def test_the_own_heads_are_not_used_at_test():
    bench, auxiliary = Bench(), method("joint-auxiliary")
    model = bench.start(auxiliary)
    before = bench.predict(auxiliary, model)
    torch.nn.init.normal_(model.auxiliary["a"].weight)
    assert torch.equal(bench.predict(auxiliary, model), before)
