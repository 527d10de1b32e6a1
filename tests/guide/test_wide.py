"""More columns than samples: n x n algebra, the same predictions, seconds, little memory."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import torch

from umt_lib.evaluation import residual_products
from umt_lib.guide import classifiers, recommend, wide
from umt_lib.guide.checks import checked


def test_a_linear_classifier_predicts_the_same_from_coordinates():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 300)), np.arange(60) % 2
    x[:, 0] += y
    z = wide.coordinates(x)
    factor = np.sqrt(300 / z.shape[1])
    whole, small = (
        classifiers._Path(part[:40], y[:40], part[40:])(0.001)
        for part in (wide.standardised(x), z * factor)
    )
    assert np.allclose(whole, small, atol=1e-2)
    assert np.abs(whole - whole[::-1]).max() > 0.05


def test_the_axes_of_wide_features_are_the_leading_ones():
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(80, 300)) * np.linspace(3, 1, 300))
    axes = residual_products._axes(x)
    assert axes.shape == (300, residual_products.WIDEST)
    assert torch.allclose(axes.T @ axes, torch.eye(64, dtype=x.dtype), atol=1e-8)
    kept = torch.linalg.svdvals(x)[:64].square().sum()
    assert torch.isclose((x @ axes).square().sum(), kept)


def test_two_hundred_thousand_columns_take_seconds_and_little_memory():
    rng = np.random.default_rng(0)
    y = np.arange(50) % 2
    x = rng.normal(size=(50, 200_000)).astype(np.float32)
    x[:, :2000] += 3 * y[:, None]
    given = {"methylation": x, "rna": rng.normal(size=(50, 500)).astype(np.float32)}
    tracemalloc.start()
    began = time.process_time()
    found = recommend(given, y, folds=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert time.process_time() - began < 60
    assert peak < 4 * x.nbytes  # d x d would be 320 GB
    assert found.data["modalities"] == {"methylation": 200_000, "rna": 500}
    assert found.competitors["methylation alone"].accuracy.mean > 0.9


def test_checks_and_distances_of_wide_rows_are_those_of_all_columns():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5000))
    x[20:] = x[:20]
    inputs = checked({"a": x, "b": x[:, :900]}, np.tile(np.arange(20) % 2, 2), None, 3, 99, 0, "x")
    assert inputs.copies.rows == 40
    assert inputs.copies.exact
    assert inputs.wide == {"a", "b"}
    z = inputs.features["a"]
    assert z.shape == (40, 19)  # 20 different rows
    assert np.allclose(z[20:], z[:20])
    x[7, 4321] = 1e6
    inputs = checked(
        {"a": x, "b": rng.normal(size=(40, 2))}, np.arange(40) % 2, None, 3, 99, 0, "x"
    )
    assert inputs.farthest["a"][1] == 7
