"""Products of two directions: an interaction is found, on any scale of the features."""

from __future__ import annotations

import torch

from umt_lib.evaluation.residual_products import Products, Rows, leading_axes

DIMS = [4, 4]  # features of two modalities


def rows(n: int, seed: int, scale: float = 1.0, classes: int = 2) -> Rows:
    """Labels that are the sign of one product across modalities, an offset that knows nothing."""
    stream = torch.Generator().manual_seed(seed)
    x = torch.randn(n, sum(DIMS), generator=stream, dtype=torch.float64)
    return Rows(scale * x, (x[:, 1] * x[:, 6] > 0).long(), torch.zeros(n, classes))


def fitted(known: Rows, held: Rows, pairs: bool) -> Products:
    return Products(known, held, leading_axes(known.x, DIMS), pairs)


def accuracy(products: Products, samples: Rows) -> float:
    return (products(samples).offset.argmax(1) == samples.y).double().mean().item()


def test_a_product_across_modalities_is_found_as_a_pair_and_not_as_an_additive_term():
    held_out = rows(400, 2)
    assert accuracy(fitted(rows(400, 0), rows(200, 1), pairs=True), held_out) > 0.9
    assert accuracy(fitted(rows(400, 0), rows(200, 1), pairs=False), held_out) < 0.6


def test_products_that_do_not_predict_the_held_out_part_are_not_used():
    held = rows(200, 1)
    products = fitted(rows(400, 0), held._replace(y=1 - held.y), pairs=True)
    assert products.coefficients is None
    assert torch.equal(products(rows(50, 2)).offset, torch.zeros(50, 2))


def test_the_scale_of_the_features_changes_no_prediction():
    corrected = []
    for scale in (1.0, 0.1, 30.0):
        parts = (rows(n, seed, scale) for seed, n in enumerate((400, 200)))
        products = fitted(*parts, pairs=True)
        corrected.append(products(rows(400, 2, scale)).offset)
    assert corrected[0].abs().max() > 1
    torch.testing.assert_close(corrected[1], corrected[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(corrected[2], corrected[0], atol=1e-4, rtol=1e-4)


def test_a_class_may_be_absent_from_the_samples():
    products = fitted(rows(400, 0, classes=3), rows(200, 1, classes=3), pairs=True)
    held_out = rows(400, 2, classes=3)
    assert products(held_out).offset.shape == (400, 3)
    assert accuracy(products, held_out) > 0.85
