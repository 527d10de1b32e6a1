"""UME: three rules against values computed by hand, and weights that are the best there are."""

import numpy as np
import pytest
import torch
from tiny import Bench, method, same
from torch.nn.functional import cross_entropy, one_hot

from umt_lib.data.splits import Split
from umt_lib.evaluation.ensemble_weights import fit_weights
from umt_lib.models import Output
from umt_lib.models.inference import outputs

A = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
B = torch.tensor([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4]])


class Fixed(torch.nn.Module):
    """A uni-modal model whose prediction is its input."""

    def forward(self, x):
        (logits,) = (x[m] for m in x if m == self.modality)
        return Output({self.modality: logits}, logits, {}, {})

    def __init__(self, modality):
        super().__init__()
        self.modality = modality


@pytest.mark.parametrize(
    ("rule", "weights", "expected"),
    [
        ("mean", (1, 1, 1), [[0.4, 0.35, 0.25], [0.2, 0.2, 0.6]]),
        ("product", (1, 1, 1), [[0.07, 0.1, 0.04], [0.03, 0.03, 0.32]]),
        ("weighted", (2, 1, 1), [[0.049, 0.02, 0.004], [0.003, 0.003, 0.256]]),
        ("weighted", (0, 1, 5), B.tolist()),  # a uniform prior has no influence
    ],
)
def test_the_rules_by_hand(rule, weights, expected):
    """The rules disagree on the first sample: the mean says class 0, the product class 1."""
    ume = method("ume", rule=rule)
    model = ume.build(None, {"a": Fixed("a"), "b": Fixed("b")})
    model.weights.copy_(torch.tensor(weights))
    logits = ume.predict(model({"a": A.log() + 3.0, "b": B.log() - 1.0}))  # not normalised
    expected = torch.tensor(expected)
    torch.testing.assert_close(logits.softmax(1), expected / expected.sum(1, keepdim=True))


def test_the_product_counts_the_prior_once():
    """Two models that know nothing predict the frequencies of the classes, as one does."""
    bench, ume = Bench(), method("ume", rule="product")
    model = bench.start(ume)
    prior = bench.splits.train.y.bincount() / len(bench.splits.train)
    torch.testing.assert_close(model.prior.exp(), prior)
    skewed = torch.tensor([0.7, 0.2, 0.1])
    model = ume.build(None, {"a": Fixed("a"), "b": Fixed("b")})
    model.prior = skewed.log()
    nothing = skewed.log().expand(2, 3)
    found = ume.predict(model({"a": nothing, "b": nothing})).softmax(1)
    torch.testing.assert_close(found, skewed.expand(2, 3))
    one = ume.predict(model({"a": A.log(), "b": nothing})).softmax(1)
    torch.testing.assert_close(one, A)


def test_the_validation_score_of_fitted_weights_is_cross_fitted():
    """With many modalities of noise, weights fit any labels; on other samples they guess."""
    stream = torch.Generator().manual_seed(0)
    n, modalities = 40, [f"m{i}" for i in range(30)]
    y = torch.randint(0, 2, (n,), generator=stream)
    logs = {m: torch.randn(n, 2, generator=stream).log_softmax(1) for m in modalities}
    ume = method("ume", rule="weighted")
    model = ume.build(None, {m: Fixed(m) for m in modalities})
    ume.parts = model.parts
    weights = fit_weights(model.parts(logs), y)
    fitted = torch.einsum("m,mbk->bk", torch.from_numpy(weights).float(), model.parts(logs))
    crossed = ume.validate(Output({}, fitted, logs, {}), Split({}, y))
    on_itself, on_others = ((z.argmax(1) == y).double().mean() for z in (fitted, crossed))
    assert on_itself > 0.6
    assert on_others < on_itself - 0.1
    assert torch.isfinite(crossed).all()


def test_weights_are_not_fitted_to_other_samples_of_the_same_group():
    """A group whose samples are all alike would predict itself."""
    fitted_to = []
    ume = method("ume", rule="weighted")
    y, groups = torch.arange(12) % 2, np.repeat(list("abc"), 4)
    ume.parts = lambda logs: torch.zeros(3, 12, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "umt_lib.methods.ume.fit_weights",
            lambda parts, y: fitted_to.append(len(y)) or np.ones(3),
        )
        ume.validate(Output({}, torch.zeros(12, 2), {}, {}), Split({}, y, groups))
        assert fitted_to == [8, 8, 8]  # a whole group is held out each time
        fitted_to.clear()
        one = Split({}, y, np.repeat("a", 12))
        ume.validate(Output({}, torch.zeros(12, 2), {}, {}), one)
        assert sorted(fitted_to) == [9, 9, 10, 10, 10]


def test_weights_1_are_the_product():
    bench = Bench()
    weighted, product = method("ume", rule="weighted"), method("ume", rule="product")
    model = bench.start(weighted)
    assert not torch.equal(model.weights, torch.ones(3))
    model.weights.fill_(1.0)
    expected = bench.predict(product, bench.start(product))
    assert torch.equal(bench.predict(weighted, model), expected)


@pytest.mark.parametrize("rule", ["mean", "product"])
def test_an_ensemble_of_one_is_the_unimodal_model(rule):
    bench, ume = Bench(("a",)), method("ume", rule=rule)
    (teacher,) = bench.teachers().values()
    expected = outputs(teacher, bench.splits.test).fused
    found = bench.predict(ume, bench.start(ume))
    torch.testing.assert_close(found.log_softmax(1), expected.log_softmax(1))


def test_fitted_weights_beat_every_point_of_a_grid():
    """One modality too sure of itself, one not sure enough: the weights mend both."""
    stream = torch.Generator().manual_seed(0)
    y = torch.randint(0, 3, (200,), generator=stream)
    seen = one_hot(y, 3) + torch.randn(2, 200, 3, generator=stream)
    logs = (seen * torch.tensor([0.5, 3.0])[:, None, None]).log_softmax(2).double()

    def loss(w):
        return cross_entropy(torch.einsum("m,mnk->nk", torch.as_tensor(w), logs), y).item()

    grid = [(a, b) for a in np.linspace(0, 5, 26) for b in np.linspace(0, 5, 26)]
    values = [loss(point) for point in grid]
    found = fit_weights(logs, y)
    assert loss(found) <= min(values)
    np.testing.assert_allclose(found, grid[int(np.argmin(values))], atol=0.2)


def test_the_weights_are_fitted_on_validation():
    bench, ume = Bench(), method("ume", rule="weighted")
    model, validation = bench.start(ume), bench.splits.validation
    logs = model.parts(outputs(model, validation).unimodal)
    expected = torch.from_numpy(fit_weights(logs, validation.y)).float()
    assert torch.equal(model.weights, expected)


def test_a_modality_that_misleads_gets_no_weight():
    y = torch.arange(90) % 3
    good = (0.3 + 0.4 * one_hot(y, 3)).log()
    good[:18] = good[18:36].roll(1, 0)  # not always right, or the best weight would be infinite
    bad = (0.3 + 0.4 * one_hot((y + 1) % 3, 3)).log()
    weights = fit_weights(torch.stack([good, bad]), y)
    assert weights[0] > 0.5
    assert weights[1] == 0


def test_nothing_is_trained():
    bench, ume = Bench(), method("ume", rule="mean")
    model, progress = bench.train(ume)
    for m, teacher in bench.teachers().items():
        assert same(model.members[m].state_dict(), teacher.state_dict())
    assert (progress.epoch, progress.best, progress.samples, progress.curves) == (0, 0, 0, {})
