"""UMT along the teacher's head: what its classifier reads is distilled, the rest is free."""

import pytest
import torch
from tiny import Bench, method
from torch.nn.functional import mse_loss

from umt_lib.losses import subspace_basis


def test_weight_0_is_joint_training():
    bench = Bench(epochs=4)
    assert bench.alike(method("umt-subspace", weight=0.0), method("joint"))


def test_features_are_pulled_along_the_teachers_classifier_and_nowhere_else():
    bench, plain, along = Bench(), method("umt"), method("umt-subspace")
    model, batch = bench.start(plain), bench.batch()
    bench.start(along)

    def pull(one):
        out = model(batch.x)
        added = one.loss(out, batch) - method("joint").loss(out, batch)
        return torch.autograd.grad(added, out.features["a"])[0]

    v = subspace_basis(bench.teachers()["a"].head.weights["a"])
    torch.testing.assert_close(pull(along), pull(plain) @ v @ v.T)
    assert not torch.allclose(pull(along), pull(plain))


def test_as_many_directions_as_dimensions_would_be_plain_umt():
    bench = Bench()
    along = method("umt-subspace", weight=2.0)
    model, batch = bench.start(along), bench.batch()
    along.bases = {m: torch.eye(6) for m in along.bases}
    out = model(batch.x)
    targets = along.targets(batch)
    distance = sum(mse_loss(z, targets[m]) for m, z in out.features.items())
    expected = method("joint").loss(out, batch) + 2 * distance
    assert along.loss(out, batch).item() == pytest.approx(expected.item())
