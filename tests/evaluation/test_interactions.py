"""The diagnostics on cases with a known answer: additive, XOR, redundant copies, shared noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from umt_lib import models
from umt_lib.errors import StudyError
from umt_lib.evaluation import residual
from umt_lib.evaluation.bootstrap import bootstrap
from umt_lib.evaluation.interactions import emap, emap_gap, permutation_drop, utilisation
from umt_lib.evaluation.residual import Sample, correct, residual_gain


def signs(n: int = 400, seed: int = 0) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Two independent signs (n, 1), and the label that is their XOR."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(2, size=(2, n))
    z = {m: torch.tensor(2.0 * b - 1)[:, None] for m, b in zip("ab", bits, strict=True)}
    return z, torch.from_numpy(bits[0] ^ bits[1])


def two_sided(score: torch.Tensor) -> torch.Tensor:
    """Logits (B, 2) of a score (B, 1) for class 1."""
    return torch.cat([-score, score], dim=1)


def xor_head(z: dict[str, torch.Tensor]) -> torch.Tensor:
    return two_sided(-z["a"] * z["b"])


def late_fusion(head: str, modalities: str = "ab") -> models.LateFusion:
    torch.manual_seed(0)
    encoders = {m: {"name": "mlp", "hidden": 4, "dim": 3} for m in modalities}
    return models.build(encoders, {"name": head}, dict.fromkeys(modalities, (5,)), 4)


def codes(modalities: str = "ab", n: int = 40) -> dict[str, torch.Tensor]:
    stream = torch.Generator().manual_seed(1)
    return {m: torch.randn(n, 3, generator=stream) for m in modalities}


@pytest.mark.parametrize("modalities", ["ab", "abc"])
def test_emap_gives_an_additive_model_back(modalities):
    model, z = late_fusion("linear", modalities), codes(modalities)
    whole = model.fuse(z).fused.double()
    assert torch.allclose(emap(model, z), whole, atol=1e-6)
    y = torch.arange(40) % 4
    assert tuple(emap_gap(model, z, y))[:3] == (0.0, 0.0, 0.0)


def test_emap_is_the_formula_whatever_the_memory():
    model, z = late_fusion("mlp"), codes(n=12)
    n = 12
    table = torch.stack([model.fuse({"a": z["a"][[i] * n], "b": z["b"]}).fused for i in range(n)])
    formula = table.mean(1) + table.mean(0) - table.mean((0, 1))
    assert not torch.allclose(formula, table.diagonal().T, atol=1e-3)
    for pairs in (1, 5, 12, 30, 1000):
        assert torch.allclose(emap(model, z, pairs), formula.double(), atol=1e-6)


def test_emap_of_three_modalities_is_additive_and_keeps_the_mean():
    model, z = late_fusion("mlp", "abc"), codes("abc")
    twice = {m: torch.cat([v, v]) for m, v in z.items()}
    assert torch.allclose(emap(model, twice)[:40], emap(model, z), atol=1e-6)
    moved = {**z, "a": z["a"].roll(1, 0)}
    alone = emap(model, z) - emap(model, z).mean(0)
    assert alone.abs().max() > 1e-3
    assert emap(model, moved).shape == (40, 4)


def test_xor_is_all_interaction():
    z, y = signs()
    assert emap_gap(xor_head, z, y).low > 0.35
    drop = permutation_drop(xor_head, z, y, "b")
    assert drop.mean == pytest.approx(0.5, abs=0.05)
    assert utilisation(xor_head, z, y, "a").low > 0.35


def test_the_drop_is_averaged_over_shuffles():
    """Each shuffle is right on half of the samples by chance, and their mean on half of each."""
    z, y = signs()
    one, many = (permutation_drop(xor_head, z, y, "b", repeats=n) for n in (1, 40))
    assert many.high - many.low < (one.high - one.low) / 3
    assert many.mean == pytest.approx(0.5, abs=0.02)


def test_redundant_copies_have_no_interaction():
    z, _ = signs()
    copies, y = {"a": z["a"], "b": z["a"].clone()}, (z["a"][:, 0] > 0).long()

    def head(z):
        return two_sided(z["a"] + z["b"])

    assert emap_gap(head, copies, y).mean == 0
    assert permutation_drop(head, copies, y, "b").mean == 0
    assert utilisation(head, copies, y, "a").mean == 0


def test_permutation_sees_noise_that_modalities_share():
    stream = torch.Generator().manual_seed(2)
    y = torch.arange(600) % 2
    shared = 3 * torch.randn(600, 1, generator=stream)
    z = {"a": shared + 2.0 * y[:, None] - 1, "b": shared}

    def head(z):
        return two_sided(z["a"] - z["b"])

    assert permutation_drop(head, z, y, "b").low > 0.2
    assert abs(emap_gap(head, z, y).mean) < 1e-9


def test_utilisation_may_be_negative():
    stream = torch.Generator().manual_seed(3)
    y = torch.arange(400) % 2
    z = {"a": 2.0 * y[:, None] - 1, "b": 3 * torch.randn(400, 1, generator=stream)}
    assert utilisation(lambda z: two_sided(z["a"] + z["b"]), z, y, "b").high < 0


def sample(kind: str, n: int, seed: int) -> Sample:
    """An offset that knows nothing, and features that do: "xor", "own" (additive) or "noise"."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(2, size=(2, n))
    y = {"xor": bits[0] ^ bits[1], "own": bits[0], "noise": rng.integers(2, size=n)}[kind]
    z = {
        m: np.hstack([2.0 * b[:, None] - 1, np.zeros((n, 2))]) + 0.3 * rng.standard_normal((n, 3))
        for m, b in zip("ab", bits, strict=True)
    }
    return Sample(z, y, np.full((n, 2), math.log(0.5)))


def test_residual_gain_is_pairs_and_nothing_else():
    xor = residual_gain(sample("xor", 400, 0), sample("xor", 300, 1))
    assert xor.low > 0.3
    own = residual_gain(sample("own", 400, 0), sample("own", 300, 1))
    assert abs(own.mean) < 0.05
    noise = residual_gain(sample("noise", 400, 0), sample("noise", 300, 1))
    assert noise.low <= 0.01


def test_the_additive_correction_repairs_what_is_not_a_pair():
    train, test = sample("own", 400, 0), sample("own", 300, 1)
    logs = correct(train, test, pairs=False)
    assert (logs.argmax(1) == test.y).mean() > 0.95
    assert np.allclose(np.exp(logs).sum(1), 1)


def test_a_correction_repeats_and_leaves_the_random_state_alone():
    train, test = sample("xor", 120, 0), sample("xor", 50, 1)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = correct(train, test, pairs=True, seed=3)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(first, correct(train, test, pairs=True, seed=3))
    assert not np.array_equal(first, correct(train, test, pairs=True, seed=4))


def test_a_network_that_only_gets_worse_is_left_at_its_start(brief, monkeypatch):
    monkeypatch.setattr(residual, "RATE", 10.0)
    train, test = sample("noise", 120, 0), sample("noise", 50, 1)
    ((logs,),) = residual.corrections([train], [test], (True,), head=True)
    np.testing.assert_allclose(logs, test.offset, atol=1e-6)


def test_the_stopping_part_takes_whole_groups():
    train, test = sample("xor", 120, 0), sample("xor", 50, 1)
    grouped = train._replace(groups=np.arange(120) // 20)
    assert not np.array_equal(correct(grouped, test, True), correct(train, test, True))


def test_bootstrap_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = []
    for trial in range(200):
        found = bootstrap(rng.normal(1.0, 1, (12, 2)) - [0.0, 1.0], seed=trial)
        hits.append(found.low <= 1.0 <= found.high)
    assert 0.88 <= np.mean(hits) <= 0.99


def test_groups_widen_the_interval():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 30)
    right = np.column_stack([rng.normal(size=20)[groups], np.zeros(600)])
    alone, whole = bootstrap(right), bootstrap(right, groups=groups)
    assert whole.n == 20
    assert whole.mean == alone.mean
    assert whole.high - whole.low > 2 * (alone.high - alone.low)
    assert bootstrap(right, groups=groups) == whole


def test_every_diagnostic_resamples_whole_groups(brief):
    z, y = signs(120)
    groups = np.arange(120) // 6
    drop = permutation_drop(xor_head, z, y, "b", groups=groups)
    found = [emap_gap(xor_head, z, y, groups), drop, utilisation(xor_head, z, y, "a", groups)]
    train, test = sample("xor", 120, 0), sample("xor", 120, 1)
    found.append(residual_gain(train, test._replace(groups=groups)))
    assert [interval.n for interval in found] == [20] * 4
    assert emap_gap(xor_head, z, y).n == residual_gain(train, test).n == 120


def test_what_is_refused():
    z, y = signs(20)
    with pytest.raises(StudyError, match="did you mean 'a'"):
        utilisation(xor_head, z, y, "aa")
    with pytest.raises(StudyError, match="two modalities"):
        emap(xor_head, {"a": z["a"]})
    with pytest.raises(StudyError, match="one row per sample"):
        emap(xor_head, {"a": z["a"], "b": z["b"][:5]})
    with pytest.raises(StudyError, match=r"give \(n, d_m\)"):
        emap(xor_head, {"a": z["a"][:, 0], "b": z["b"]})
    with pytest.raises(StudyError, match="NaN"):
        emap(xor_head, {"a": z["a"] * math.nan, "b": z["b"]})
    with pytest.raises(StudyError, match="predicts no sample correctly"):
        utilisation(xor_head, z, 1 - y, "a")
    with pytest.raises(StudyError, match="2 or more"):
        bootstrap(np.zeros((1, 2)))
