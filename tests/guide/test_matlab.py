"""Variables of .mat files in the layouts in which multi-view features are published."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from feature_files import N, refused

from umt_lib.guide import readers

A = np.random.default_rng(0).normal(size=(N, 2))
B = np.random.default_rng(1).normal(size=(N, 3))
Y = np.arange(N) % 2 + 1
INDICATORS = np.arange(1, 3)[:, None] == Y  # (K, n)


def cell(*values) -> np.ndarray:
    """A MATLAB cell (1, M)."""
    made = np.empty((1, len(values)), dtype=object)
    made[0, :] = values
    return made


def saved(folder: Path, **content) -> Path:
    scipy.io.savemat(folder / "mine.mat", content)
    return folder / "mine.mat"


LAYOUTS = {
    "named": {"X1": A, "X2": B, "labels": Y[:, None]},
    "cell": {"X": cell(A, B), "Y": Y[:, None]},
    "transposed": {"X": cell(A.T, B.T), "gt": Y[None]},
    "one of them transposed": {"X": cell(A, B.T), "gnd": Y},
    "sparse": {"X1": scipy.sparse.csc_array(A), "X2": B, "y": Y},
    "sparse cell": {"X": cell(scipy.sparse.csc_array(A), B), "Label": Y},
    "cells of labels": {"X": cell(A.T, B.T), "truelabel": cell(Y[:, None], Y[:, None])},
    "row and column of labels": {"X": cell(A, B), "truth": cell(Y[:, None], Y[None])},
    "struct": {"data": {"X1": A.T, "X2": B.T, "Y": Y}},
    "struct of cells": {"data": {"X": cell(A.T, B.T), "gt": cell(Y)}},
    "indicators": {"X1": A, "X2": B, "Y": INDICATORS},
    "sparse indicators": {"X1": A, "X2": B, "Y": scipy.sparse.csc_array(INDICATORS.T)},
    "groups": {"X1": A, "X2": B, "gt": Y, "groups": Y[:, None]},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_matlab_file_is_read(tmp_path, layout):
    source = readers.load(str(saved(tmp_path, **LAYOUTS[layout])))
    assert list(source.features) == ["X1", "X2"]
    assert np.array_equal(source.features["X1"], A)
    assert np.array_equal(source.features["X2"], B)
    assert source.labels.tolist() == Y.tolist()
    assert (None if source.groups is None else source.groups.tolist()) == (
        Y.tolist() if layout == "groups" else None
    )


@pytest.mark.parametrize("name", ["labels", "label", "truelabel"])
def test_text_labels_of_a_matlab_file_are_read(tmp_path, name):
    names = np.array(["run", "walks"])[Y - 1]
    for column in (names, names.astype(object), cell(names.astype(object))):
        path = saved(tmp_path, X1=A, X2=B, groups=names.astype(object), **{name: column})
        source = readers.load(str(path))
        assert source.labels.tolist() == names.tolist()
        assert source.groups.tolist() == names.tolist()


def test_a_square_array_is_read_where_the_rows_do_not_matter(tmp_path):
    square = np.random.default_rng(2).normal(size=(N, N))
    kernel = square @ square.T
    kernel = (kernel + kernel.T) / 2
    source = readers.load(str(saved(tmp_path, X=cell(A.T, kernel), gt=Y)))
    assert np.array_equal(source.features["X2"], kernel)
    refused(saved(tmp_path, X=cell(A.T, square), gt=Y), r"'X2' has shape \(40, 40\) .* np\.savez")


NESTED = {"train": np.arange(9), "test": np.arange(9, N)}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"X1": A, "X2": B, "truth": cell(Y, 3 - Y)}, "the 2 cells of 'truth' differ, so"),
        ({"X": cell(A, B[1:]), "gt": Y}, r"'X2' has shape \(39, 3\) for 40 labels; leave it out"),
        ({"X": cell(A, B), "gt": Y, "k": 5}, r"'k' has shape \(1, 1\) for 40 labels; leave it out"),
        ({"X": cell(A, B), "gt": Y, "ids": np.arange(N)}, r"'ids' has shape \(40,\); leave it out"),
        ({"X": cell(A, B), "gt": Y, "about": "by us"}, "'about' holds text .*; leave it out if"),
        ({"X": cell(A, B), "gt": Y, "about": cell("by", "us")}, "'about' is a cell .*; leave it"),
        ({"X": cell(A, B), "gt": Y, "split": NESTED}, r"'split' .* \(train, test\); leave it out"),
        (
            {"data": {"X1": A, "X2": B, "Y": Y, "split": NESTED}},
            r"'split' is no array but contains others \(train, test\); leave it out if it is no",
        ),
        ({"data": {"X1": A, "X2": B}}, r"no array 'labels' \(found: X1, X2\); add the labels"),
        ({"data": {"X1": A, "X2": B}, "X1": A}, "there are two arrays 'X1'; leave one out"),
        ({"X": cell(A, B), "X2": B, "gt": Y}, "there are two arrays 'X2'; leave one out"),
        ({"a": {"X": A, "Y": Y}, "b": {"X": B, "Y": Y}}, r"'a' is no array but .* \(X, Y\); leave"),
        ({"X": cell(A, B), "gt": cell(*Y[1:], [])}, "'gt' has empty cells; give one value per"),
        ({"X": cell(A, B), "Y": np.ones((2, N))}, r"'labels' has shape \(2, 40\); give one value"),
        ({"X": cell(A, B), "Y": Y, "gt": Y}, r"no array 'labels' \(found: X, Y, gt\)"),
    ],
)
def test_what_is_no_modality_is_named(tmp_path, content, sentence):
    refused(saved(tmp_path, **content), sentence)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.99])
def test_a_truncated_matlab_file_is_refused(tmp_path, share):
    scipy.io.savemat(tmp_path / "mine.mat", LAYOUTS["cell"], do_compression=True)
    whole = (tmp_path / "mine.mat").read_bytes()
    (tmp_path / "mine.mat").write_bytes(whole[: int(share * len(whole))])
    refused(tmp_path / "mine.mat", "cannot be read .*; save it again, for example as npz")
