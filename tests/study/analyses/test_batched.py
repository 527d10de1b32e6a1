"""Many small models trained at once equal models trained one by one; a map repeats bit for bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from umt_lib.data.splits import Split
from umt_lib.errors import StudyError
from umt_lib.evaluation import metrics
from umt_lib.methods import METHODS, Setting
from umt_lib.models.inference import outputs
from umt_lib.study.analyses.batched import fit as batched_fit
from umt_lib.study.analyses.batched.networks import forward, stack, stacked, unstack
from umt_lib.study.analyses.regime_map import methods
from umt_lib.study.analyses.regime_map.grid import GRIDS, Cell, grid
from umt_lib.study.analyses.regime_map.measure import regime_map
from umt_lib.training import Training, fit

SMALL = replace(GRIDS["synthetic"], updates=8, n_validation=120, n_test=200)
CELLS = [Cell(0.4, 0.5, 0.0, 256), Cell(0.7, 0.0, 0.5, 256)]


@pytest.fixture
def small(monkeypatch):
    """The synthetic grid at its cheapest, under its own name."""
    axes = {"uni": (0.4, 0.7), "paired": (0.5,), "asymmetry": (0.0,), "n_train": (256,)}
    monkeypatch.setitem(GRIDS, "synthetic", replace(SMALL, axes=axes))


@pytest.mark.parametrize("head", ["linear", "mlp"])
@pytest.mark.parametrize("name", ["joint", "umt"])
def test_the_batched_run_is_the_single_run(name, head):
    """Same start, data and order: the batched loop ends where the loop of the study does."""
    data = [SMALL.data(cell, 0) for cell in CELLS]
    shapes = {m: tuple(x.shape[1:]) for m, x in data[0].train.x.items()}
    starts = [methods.initial(SMALL, head, shapes, 5 + g) for g in range(2)]
    teachers = {m: methods.initial(SMALL, "linear", {m: shapes[m]}, 3).eval() for m in shapes}
    schedule = SMALL.training(256)
    both = stacked(data)
    seen = batched_fit.epochs(both.train, schedule)
    options = {"weight": 2.0} if name == "umt" else {}
    targets = None
    if name == "umt":
        params = {m: stack([t, t]) for m, t in teachers.items()}
        targets = batched_fit.with_inputs(seen, batched_fit.features(params, both.train))
    start = stack([*starts])
    method = METHODS[name](**options)
    together = batched_fit.fit(start, method, seen, both.validation, schedule, targets=targets)
    for g, (model, splits) in enumerate(zip(starts, data, strict=True)):
        single = METHODS[name](**options)
        single.start(model, Setting(splits.train, splits.validation, teachers, False))
        fit(model, single, splits, schedule, seed=batched_fit.ORDER)
        for key, value in unstack(together, g).items():
            torch.testing.assert_close(value, model.state_dict()[key], rtol=1e-3, atol=1e-4)


def test_the_stacked_forward_is_the_modules_forward():
    shapes = {"a": (24,), "b": (24,)}
    for head in ("linear", "mlp"):
        models = [methods.initial(SMALL, head, shapes, g) for g in range(3)]
        x = {m: torch.randn(3, 7, 24) for m in shapes}
        out = forward(stack(models), x)
        for g, model in enumerate(models):
            single = model({m: value[g] for m, value in x.items()})
            torch.testing.assert_close(out.fused[g], single.fused, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(out.features["b"][g], single.features["b"])


def test_the_scores_are_those_of_the_study():
    logits, y = torch.randn(2, 30, 3), torch.randint(3, (2, 30))
    accuracy, minus_nll = batched_fit.scores(batched_fit.Output({}, logits, {}, {}), y)
    for g in range(2):
        assert accuracy[g].item() == metrics.accuracy(logits[g], y[g])
        assert -minus_nll[g].item() == pytest.approx(metrics.nll(logits[g], y[g]))


def test_cells_do_not_depend_on_their_neighbours():
    """A cell's data are its own, and its models those of a map with other cells beside it."""
    both = methods.measure(SMALL, CELLS, [0, 1])
    (second,) = methods.measure(SMALL, CELLS[1:], [0, 1])
    for name, values in second["test"].items():
        assert both[1]["test"][name] == pytest.approx(values, abs=0.03), name


def test_teachers_predict_what_the_ensemble_combines():
    trained = methods.train(SMALL, CELLS[:1], [0])
    made = methods.predictions(trained, trained.data.test)
    product = sum(made[f"alone-{m}"] for m in "ab")
    torch.testing.assert_close(
        made["ume-product"].log_softmax(2), product.log_softmax(2), rtol=1e-4, atol=1e-5
    )
    one = methods.initial(SMALL, "linear", {"a": (24,)}, 0)
    one.load_state_dict(unstack(trained.teachers["a"], 0))
    test = Split({"a": trained.data.test.x["a"][0]}, trained.data.test.y[0])
    torch.testing.assert_close(
        outputs(one, test).fused.log_softmax(1), made["alone-a"][0], rtol=1e-3, atol=1e-4
    )


def test_a_loss_that_explodes_is_reported():
    data = stacked([SMALL.data(CELLS[0], 0)])
    start = stack([methods.initial(SMALL, "linear", {"a": (24,), "b": (24,)}, 0)])
    wild = Training(epochs=2, batch_size=128, learning_rate=1e12)
    with pytest.raises(StudyError, match="lower the grid's learning_rate"):
        batched_fit.fit(
            start, METHODS["joint"](), batched_fit.epochs(data.train, wild), data.validation, wild
        )


def test_a_map_repeats_bit_for_bit(small):
    first, again = (regime_map("synthetic", 256, (0, 1)) for _ in range(2))
    assert first == again
    assert [cell["uni"] for cell in first["cells"]] == [0.4, 0.7]
    assert len(first["cells"][0]["test"]["joint-mlp"]) == 2
    assert len(regime_map("synthetic", 256, (0,), cells=1)["cells"]) == 1


def test_the_maps_are_as_large_as_they_claim():
    """At least 400 cells of the feature model."""
    assert len(grid("synthetic").cells) >= 400
    assert len({tuple(cell) for cell in grid("synthetic").cells}) == len(grid("synthetic").cells)


def test_what_is_refused():
    with pytest.raises(StudyError, match="did you mean 'synthetic'"):
        regime_map("syntetic", 512, (0,))
    with pytest.raises(StudyError, match="not 100; give one"):
        regime_map("synthetic", 100, (0,))


def test_no_student_starts_as_its_teacher(monkeypatch):
    """For every modality, other seeds of the initial weights than those of joint models."""
    seen = {}
    real = methods.initial

    def spy(grid, head, shapes, start):
        seen.setdefault(tuple(shapes), set()).add(start)
        return real(grid, head, shapes, start)

    monkeypatch.setattr(methods, "initial", spy)
    methods.train(SMALL, CELLS, (0, 1))
    assert set(seen) == {("a",), ("b",), ("a", "b")}
    assert len(set.union(*seen.values())) == sum(map(len, seen.values()))
