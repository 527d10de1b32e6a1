"""Hyper-parameters that are given in Python have the ranges that params files have."""

import math
from dataclasses import replace

import pytest

from umt_lib import METHODS
from umt_lib.errors import StudyError
from umt_lib.training import Training


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        (
            "umt",
            {"weight": -1.0},
            r"UMT\(weight=-1.0\): input should be greater than or equal to 0",
        ),
        ("umt", {"weight": math.nan}, r"UMT\(weight=nan\): input should be "),
        ("umt", {"weight": "3"}, r"UMT\(weight='3'\): input should be a valid number"),
        ("gblend", {"super_epoch": -1}, r"GBlend\(super_epoch=-1\): input should be greater"),
        ("unimodal", {"modality": 3}, r"Unimodal\(modality=3\): input should be a valid string"),
    ],
)
def test_a_method_refuses_values_out_of_range(name, given, message):
    with pytest.raises(StudyError, match=message):
        METHODS[name](**given)


@pytest.mark.parametrize(
    "given",
    [
        {"epochs": 0},
        {"epochs": True},
        {"momentum": 1.5},
        {"learning_rate": 0.0},
        {"learning_rate": math.nan},
        {"precision": "fp8"},
        {"workers": -1},
    ],
)
def test_a_schedule_refuses_values_out_of_range(given):
    good = Training(epochs=3)
    key, value = *given, *given.values()
    with pytest.raises(StudyError, match=rf"Training\({key}={value!r}\): input should be "):
        replace(good, **given)


def test_whole_numbers_are_numbers():
    assert METHODS["umt"](weight=3).weight == 3
    assert Training(epochs=3, learning_rate=1).learning_rate == 1
