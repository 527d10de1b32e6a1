"""The cost of UMT: variants equal joint training at weight 0 and change only what they claim."""

import json
from dataclasses import replace

import pytest
import torch

from umt_lib.data.splits import Split
from umt_lib.evaluation.interactions import emap
from umt_lib.methods.joint import Joint
from umt_lib.methods.umt import UMT
from umt_lib.study.analyses.batched.fit import _losses, outputs
from umt_lib.study.analyses.batched.networks import forward, fuse, unstack
from umt_lib.study.analyses.distillation_cost import measure
from umt_lib.study.analyses.distillation_cost.remedies import (
    Fading,
    Projected,
    Subspace,
    basis,
    fading,
    with_bases,
)
from umt_lib.study.analyses.regime_map.grid import Cell, grid
from umt_lib.study.experiments import params

TINY = {"updates": 12, "n_validation": 60, "n_test": 80}
SMALL = {
    "seeds": (0, 1),
    "uni": (0.5,),
    "paired": (0.0, 1.0),
    "weights": (0.1, 1.0),
    "few_weights": (1.0,),
    "n_train": 128,
    "updates": 6,
}


@pytest.fixture(scope="module")
def made() -> measure.Setup:
    chosen = replace(grid("synthetic"), **TINY)
    return measure.setup(chosen, [Cell(0.5, 1.0, 0.0, 256)], (0, 1))


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def added(made: measure.Setup, variant: str, targets) -> dict[str, torch.Tensor]:
    """{parameter: gradient} a variant of weight 1 adds to that of joint training."""
    method, wider = measure.VARIANTS[variant]
    params = made.start(wider)
    params = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    batch, out = made.batches[0][0], forward(params, made.batches[0][0].x)
    loss = _losses(method(weight=1.0), out, batch.y, targets[0][0].x)
    loss = loss - _losses(Joint(), out, batch.y, {})
    values = torch.autograd.grad(loss.sum(), list(params.values()), allow_unused=True)
    return {
        n: torch.zeros_like(p) if g is None else g
        for (n, p), g in zip(params.items(), values, strict=True)
    }


@pytest.mark.parametrize("variant", measure.VARIANTS)
def test_weight_0_is_joint_training(made, variant):
    """Bit for bit: encoders and head of every model, whatever the projection does."""
    _, wider = measure.VARIANTS[variant]
    start = made.start(wider)
    bare = {n: v for n, v in start.items() if not n.startswith("auxiliary")}
    schedule = made.grid.training(made.n)
    joint = measure.fit(bare, Joint(), made.batches, made.validation, schedule)
    mine = made.fit(variant, 0.0)
    assert equal({n: mine[n] for n in joint}, joint)
    assert not equal({n: made.fit(variant, 3.0)[n] for n in joint}, joint)


@pytest.mark.parametrize("variant", ["umt", "projected", "fading", "subspace"])
def test_only_the_encoders_and_the_projection_get_the_gradient_of_distillation(made, variant):
    targets = fading(made.targets, 1.0) if variant == "fading" else made.targets
    targets = with_bases(targets, made.teachers) if variant == "subspace" else targets
    for name, gradient in added(made, variant, targets).items():
        pulled = name.startswith(("encoders", "auxiliary"))
        assert bool(gradient.abs().max() > 1e-5) == pulled, name
        if not pulled:
            assert gradient.abs().max() < 1e-6


def test_fading_begins_as_umt_and_ends_as_joint_training(made):
    targets = fading(made.targets, 1.0)
    assert targets[0][0].x["share"].eq(1).all()
    half = [batches[0].x["share"][0].item() for batches in fading(made.targets * 3, 0.5)]
    n = len(half)
    assert half[0] == 1
    assert half == sorted(half, reverse=True)
    assert [s > 0 for s in half] == [epoch < n / 2 for epoch in range(n)]
    out = forward(made.start(), made.batches[0][0].x)
    batch = made.batches[0][0]
    started = _losses(Fading(weight=2.0), out, batch.y, targets[0][0].x)
    assert torch.allclose(started, _losses(UMT(weight=2.0), out, batch.y, made.targets[0][0].x))
    over = {**targets[0][0].x, "share": torch.zeros(2)}
    ended = _losses(Fading(weight=2.0), out, batch.y, over)
    assert torch.equal(ended, _losses(Joint(), out, batch.y, {}))


def test_the_subspace_is_what_the_teachers_head_reads(made):
    """Moved across it, features cost nothing and change no prediction of the teacher."""
    targets = with_bases(made.targets, made.teachers)[0][0].x
    batch = made.batches[0][0]
    out = forward(made.start(), batch.x)
    for m in batch.x:
        v = targets[basis(m)]
        assert v.shape[2] == 1  # K - 1
        torch.testing.assert_close(v.mT @ v, torch.ones(2, 1, 1))
    free = {}
    for m, z in targets.items():
        if m in batch.x:
            step = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
            v = targets[basis(m)]
            free[m] = z + step - step @ v @ v.mT
            rows = made.teachers[m][f"head.weights.{m}"]
            before, after = ((x @ rows.mT).diff(dim=2) for x in (z, free[m]))
            torch.testing.assert_close(before, after, atol=1e-4, rtol=1e-4)
    moved = out._replace(features=free)
    cost = _losses(Subspace(weight=1.0), moved, batch.y, targets)
    torch.testing.assert_close(cost, _losses(Joint(), moved, batch.y, {}))
    full = with_bases(made.targets, made.teachers)[0][0].x
    for m in batch.x:  # with every direction it is UMT
        full = {**full, basis(m): torch.eye(out.features[m].shape[2]).expand(2, -1, -1)}
    whole = _losses(Subspace(weight=1.0), out, batch.y, full)
    torch.testing.assert_close(whole, _losses(UMT(weight=1.0), out, batch.y, made.targets[0][0].x))


def test_a_projection_that_picks_half_the_features_is_umt_of_that_half(made):
    start = made.start(measure.WIDER)
    batch, d = made.batches[0][0], made.grid.dim
    for m in batch.x:
        picks = torch.cat([torch.eye(d), torch.zeros(d, d)], 1)
        start[f"auxiliary.{m}.weight"] = picks.expand(2, -1, -1)
        start[f"auxiliary.{m}.bias"] = torch.zeros(2, d)
    out = forward(start, batch.x)
    targets = made.targets[0][0].x
    half = out._replace(features={m: z[:, :, :d] for m, z in out.features.items()})
    mine = _losses(Projected(weight=2.0), out, batch.y, targets)
    torch.testing.assert_close(mine, _losses(UMT(weight=2.0), half, batch.y, targets))


def test_the_emap_gap_is_that_of_the_n_squared_pass(made):
    params = made.fit("umt", 0.1)
    split = made.test
    out = outputs(params, split)
    expected = []
    for g in range(2):
        single = {n: v.unsqueeze(0) for n, v in unstack(params, g).items()}

        def head(z, single=single):
            return fuse(single, {m: v.unsqueeze(0) for m, v in z.items()}).fused[0]

        additive = emap(head, {m: z[g] for m, z in out.features.items()})
        right = [(x.argmax(1) == split.y[g]).sum().item() for x in (out.fused[g], additive)]
        expected.append(right[0] - right[1])
    assert measure.emap_gap(params, split) == expected
    none = {**params, "head.layers.0.weight": params["head.layers.0.weight"].clone()}
    none["head.layers.0.weight"][:, :, made.grid.dim :] = 0  # deaf to one modality: additive
    assert measure.emap_gap(none, Split(split.x, split.y)) == [0, 0]


def test_a_measure_is_whole_repeats_bit_for_bit_and_is_plain_data():
    first = measure.distillation_cost("synthetic", **SMALL)
    assert json.dumps(first) == json.dumps(measure.distillation_cost("synthetic", **SMALL))
    assert [(c["uni"], c["paired"]) for c in first["cells"]] == [(0.5, 0.0), (0.5, 1.0)]
    for cell in first["cells"]:
        assert set(cell["variants"]) == set(measure.VARIANTS)
        for variant, runs in cell["variants"].items():
            weights = SMALL["weights"] if variant == "umt" else SMALL["few_weights"]
            assert [run["weight"] for run in runs] == [0.0, *weights]
            for run in runs:
                assert len(run["emap_gap"]) == 2
                for scores in (run["validation"], run["test"]):
                    assert len(scores) == 2
                    assert all(0 <= score <= 1 for score in scores)


def test_the_options_are_a_schema():
    spec = {"name": "trade-off", "dataset": "synthetic", **SMALL}
    registry = {"trade-off": measure.distillation_cost}
    params.named(registry, spec, "x", "analysis", given=("progress",))
    with pytest.raises(params.StudyError, match="uni"):
        params.named(registry, {**spec, "uni": [1.5]}, "x", "analysis", given=("progress",))
    with pytest.raises(params.StudyError, match="no map"):
        measure.distillation_cost("nowhere", **SMALL)
