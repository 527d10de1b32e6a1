"""The cost of UMT: variants equal joint training at weight 0 and change only what they claim."""

import json
from dataclasses import replace

import pytest
import torch

from umt_lib.data.splits import Split
from umt_lib.evaluation.interactions import emap
from umt_lib.methods.joint import Joint
from umt_lib.methods.umt import UMT
from umt_lib.study.analyses.batched.fit import SHARE, Targets, _losses, order, outputs
from umt_lib.study.analyses.batched.losses import (
    Distilled,
    Projected,
    Subspace,
    bases,
    basis,
    constant,
    fading,
)
from umt_lib.study.analyses.batched.networks import forward, fuse, unstack
from umt_lib.study.analyses.distillation_cost import measure
from umt_lib.study.analyses.regime_map.worlds import Cell, world
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
    chosen = replace(world("synthetic"), **TINY)
    cell = Cell.at(uni=0.5, paired=1.0, asymmetry=0.0, n_train=256)
    return measure.setup(chosen, [cell], (0, 1))


def first(made: measure.Setup, targets: Targets | None = None) -> tuple[Split, dict]:
    """The first batch, and the targets that it is given."""
    rows = order(made.train.y.shape[1], made.world.training(made.cell), 0)[0]
    batch = Split({m: x[:, rows] for m, x in made.train.x.items()}, made.train.y[:, rows])
    targets = targets or Targets(made.targets, constant(torch.ones(2)), bases(made.teachers))
    return batch, targets.at(rows, 0.0)


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def added(made: measure.Setup, variant: str) -> dict[str, torch.Tensor]:
    """{parameter: gradient} a variant of weight 1 adds to that of joint training."""
    method, wider = measure.VARIANTS[variant]
    params = made.start(wider)
    params = {name: value.detach().clone().requires_grad_() for name, value in params.items()}
    batch, targets = first(made)
    out = forward(params, batch.x)
    loss = _losses(method(weight=1.0), out, batch.y, targets)
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
    schedule = made.world.training(made.cell)
    joint = measure.fit(bare, Joint(), made.train, made.validation, schedule)
    mine = made.fit(variant, 0.0)
    assert equal({n: mine[n] for n in joint}, joint)
    assert not equal({n: made.fit(variant, 3.0)[n] for n in joint}, joint)


@pytest.mark.parametrize("variant", ["umt", "projected", "fading", "subspace"])
def test_only_the_encoders_and_the_projection_get_the_gradient_of_distillation(made, variant):
    for name, gradient in added(made, variant).items():
        pulled = name.startswith(("encoders", "auxiliary"))
        assert bool(gradient.abs().max() > 1e-5) == pulled, name
        if not pulled:
            assert gradient.abs().max() < 1e-6


def test_fading_begins_as_umt_and_ends_as_joint_training(made):
    batch, targets = first(made)
    out = forward(made.start(), batch.x)
    started = _losses(Distilled(weight=2.0), out, batch.y, targets)
    assert torch.allclose(started, _losses(UMT(weight=2.0), out, batch.y, targets))
    share = fading(torch.ones(2), 1.0)
    assert share(0.0).tolist() == [1, 1]
    over = {**targets, SHARE: share(1.0)}
    ended = _losses(Distilled(weight=2.0), out, batch.y, over)
    assert torch.equal(ended, _losses(Joint(), out, batch.y, {}))


def test_the_subspace_is_what_the_teachers_head_reads(made):
    """Moved across it, features cost nothing and change no prediction of the teacher."""
    batch, targets = first(made)
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
    full = dict(targets)
    for m in batch.x:  # with every direction it is UMT
        full = {**full, basis(m): torch.eye(out.features[m].shape[2]).expand(2, -1, -1)}
    whole = _losses(Subspace(weight=1.0), out, batch.y, full)
    torch.testing.assert_close(whole, _losses(UMT(weight=1.0), out, batch.y, targets))


def test_a_projection_that_picks_half_the_features_is_umt_of_that_half(made):
    start = made.start(measure.WIDER)
    (batch, targets), d = first(made), made.world.dim
    for m in batch.x:
        picks = torch.cat([torch.eye(d), torch.zeros(d, d)], 1)
        start[f"auxiliary.{m}.weight"] = picks.expand(2, -1, -1)
        start[f"auxiliary.{m}.bias"] = torch.zeros(2, d)
    out = forward(start, batch.x)
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
    none["head.layers.0.weight"][:, :, made.world.dim :] = 0  # deaf to one modality: additive
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


def test_ume_of_every_cell_and_seed_is_the_product_of_its_teachers(monkeypatch):
    kept, real = [], measure.setup
    monkeypatch.setattr(measure, "setup", lambda *given: kept.append(real(*given)) or kept[0])
    monkeypatch.setattr(measure, "VARIANTS", {"umt": measure.VARIANTS["umt"]})
    found = measure.distillation_cost("synthetic", **SMALL)
    for part in ("validation", "test"):
        split = getattr(kept[0], part)
        logs = [
            outputs(teacher, Split({m: split.x[m]}, split.y)).fused.log_softmax(2)
            for m, teacher in kept[0].teachers.items()
        ]
        right = (sum(logs).argmax(2) == split.y).double().mean(1).tolist()
        assert len(set(right)) == 4  # of two cells and two seeds
        reached = [value for cell in found["cells"] for value in cell["ume"][part]]
        assert reached == pytest.approx(right)


def test_the_options_are_a_schema():
    spec = {"name": "trade-off", "dataset": "synthetic", **SMALL}
    registry = {"trade-off": measure.distillation_cost}
    params.named(registry, spec, "x", "analysis", given=("progress",))
    with pytest.raises(params.StudyError, match="uni"):
        params.named(registry, {**spec, "uni": [1.5]}, "x", "analysis", given=("progress",))
    with pytest.raises(params.StudyError, match="no map"):
        measure.distillation_cost("nowhere", **SMALL)
