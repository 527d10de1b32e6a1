"""The table of benchmarks: what was measured, where, beside its aim."""

from __future__ import annotations

import json

from umt_lib import machinery


def test_a_row_for_every_number_that_was_measured(tmp_path):
    measured = {"ratio": 5.434, "cores": 2}
    measured["environment"] = {"device": "a processor"}
    (tmp_path / "loader.json").write_text(json.dumps(measured))
    *_, row = table = machinery.table(tmp_path).splitlines()
    assert len(table) == 3
    assert "| 5\N{MULTIPLICATION SIGN} | at least 3 | 2 cores, a processor |" in row


def test_every_number_is_shown_once_it_is_measured():
    """The committed files have the keys that the table reads."""
    rows = machinery.table().splitlines()[2:]
    there = {path.stem for path in machinery.BENCHMARKS.glob("*.json")}
    assert there >= {"study_time", "decode", "loader"}
    assert len(rows) == sum(number.split()[0] in there for number, *_ in machinery.ROWS)
