"""Many small models trained at once equal models trained one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from umt_lib.errors import StudyError
from umt_lib.evaluation import metrics
from umt_lib.methods import METHODS, Setting
from umt_lib.study.analyses.batched import fit as batched_fit
from umt_lib.study.analyses.batched.fit import Targets
from umt_lib.study.analyses.batched.networks import forward, stack, stacked, unstack
from umt_lib.study.analyses.regime_map.train import initial
from umt_lib.study.analyses.regime_map.worlds import WORLDS, Cell
from umt_lib.training import Training, fit

SMALL = replace(WORLDS["synthetic"], updates=8, n_validation=120, n_test=200)
CELLS = [
    Cell.at(uni=0.4, paired=0.5, asymmetry=0.0, n_train=256),
    Cell.at(uni=0.7, paired=0.0, asymmetry=0.5, n_train=256),
]


@pytest.mark.parametrize("head", ["linear", "mlp"])
@pytest.mark.parametrize("name", ["joint", "umt"])
def test_the_batched_run_is_the_single_run(name, head):
    """Same start, data and order: the batched loop ends where the loop of the study does."""
    data = [SMALL.data(cell, 0) for cell in CELLS]
    shapes = {m: tuple(x.shape[1:]) for m, x in data[0].train.x.items()}
    starts = [initial(SMALL, head, shapes, 5 + g) for g in range(2)]
    teachers = {m: initial(SMALL, "linear", {m: shapes[m]}, 3).eval() for m in shapes}
    schedule = SMALL.training(CELLS[0])
    both = stacked(data)
    options = {"weight": 2.0} if name == "umt" else {}
    targets = Targets()
    if name == "umt":
        params = {m: stack([t, t]) for m, t in teachers.items()}
        targets = Targets(batched_fit.features(params, both.train))
    start = stack([*starts])
    method = METHODS[name](**options)
    together = batched_fit.fit(start, method, both.train, both.validation, schedule, targets)
    for g, (model, splits) in enumerate(zip(starts, data, strict=True)):
        single = METHODS[name](**options)
        single.start(model, Setting(splits.train, splits.validation, teachers, False))
        fit(model, single, splits, schedule, seed=batched_fit.ORDER)
        for key, value in unstack(together, g).items():
            torch.testing.assert_close(value, model.state_dict()[key], rtol=1e-3, atol=1e-4)


def test_the_stacked_forward_is_the_modules_forward():
    shapes = {"a": (24,), "b": (24,)}
    for head in ("linear", "mlp"):
        models = [initial(SMALL, head, shapes, g) for g in range(3)]
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


def test_every_model_has_its_own_learning_rate():
    """Bit for bit: two rates at once are one rate after the other."""
    both = stacked([SMALL.data(cell, 0) for cell in CELLS])
    start = stack([initial(SMALL, "mlp", shapes_of(both), g) for g in range(2)])
    schedule = SMALL.training(CELLS[0])

    def trained(*rates: float) -> dict[str, torch.Tensor]:
        given = torch.tensor(rates)
        return batched_fit.fit(
            start, METHODS["joint"](), both.train, both.validation, schedule, rates=given
        )

    mixed, low, high = trained(0.01, 0.3), trained(0.01, 0.01), trained(0.3, 0.3)
    for name, value in mixed.items():
        assert torch.equal(value[0], low[name][0])
        assert torch.equal(value[1], high[name][1])
        assert not torch.equal(low[name], high[name])


def test_a_loss_that_explodes_is_reported_or_marked():
    data = stacked([SMALL.data(cell, 0) for cell in CELLS])
    start = stack([initial(SMALL, "linear", shapes_of(data), 0) for _ in CELLS])
    schedule = Training(epochs=2, batch_size=128, learning_rate=1e12)
    given = (start, METHODS["joint"](), data.train, data.validation, schedule)
    with pytest.raises(StudyError, match="lower its learning rate"):
        batched_fit.fit(*given)
    marked = batched_fit.fit(*given, rates=torch.tensor([1e12, 0.1]), strict=False)
    for value in marked.values():
        assert value[0].isnan().all()
        assert value[1].isfinite().all()


def test_validation_is_looked_at_every_few_epochs_and_after_the_last(monkeypatch):
    data = stacked([SMALL.data(CELLS[0], 0)])
    start = stack([initial(SMALL, "linear", shapes_of(data), 0)])
    seen, real = [], batched_fit.scores
    monkeypatch.setattr(batched_fit, "scores", lambda *a: seen.append(1) or real(*a))
    for every, looks in ((1, 7), (3, 3), (10, 1)):
        seen.clear()
        batched_fit.fit(
            start, METHODS["joint"](), data.train, data.validation, Training(7, 128), every=every
        )
        assert len(seen) == looks


def shapes_of(data) -> dict[str, tuple[int, ...]]:
    return {m: tuple(x.shape[2:]) for m, x in data.train.x.items()}
