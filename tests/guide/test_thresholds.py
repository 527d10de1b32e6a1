"""The record of thresholds on the guide's page has the values that the code uses."""

from __future__ import annotations

import csv
import importlib
import re

import pytest

from umt_lib.paths import ROOT

with (ROOT / "book/when/guide-thresholds.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


@pytest.mark.parametrize("row", ROWS, ids=[row["threshold"] for row in ROWS])
def test_the_record_is_true(row):
    module, name = row["threshold"].rsplit(".", 1)
    assert float(row["value"]) == getattr(importlib.import_module(f"umt_lib.{module}"), name)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["set on"])
    assert row["meaning"]
    assert row["set with"]


def test_the_thresholds_of_the_rule_are_recorded():
    recorded = {row["threshold"] for row in ROWS}
    assert {"guide.strategies.FLOOR", "guide.verdict.MARGIN", "guide.verdict.NEAR"} <= recorded
