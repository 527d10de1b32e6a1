"""The table of benchmarks: what was measured, where, beside its aim."""

from __future__ import annotations

import json

from umt_lib.study.report import benchmarks_table


def test_a_row_for_every_number_that_was_measured(tmp_path):
    measured = {"large_ratio": 0.923, "large_clip": "large", "cores": 2}
    measured |= {"small_ratio": 0.876, "small_clip": "tiny"}
    measured["environment"] = {"device": "a processor"}
    (tmp_path / "decode.json").write_text(json.dumps(measured))
    *_, large, small = table = benchmarks_table.table(tmp_path).splitlines()
    assert len(table) == 4
    assert "| 0.92\N{MULTIPLICATION SIGN} | at least 0.8 | 2 cores, a processor |" in large
    assert "preparing clips (tiny)" in small
    assert "| 0.88\N{MULTIPLICATION SIGN} | at least 0.8 | 2 cores, a processor |" in small


def test_every_number_is_shown_once_it_is_measured():
    """The committed files have the keys that the table reads."""
    rows = benchmarks_table.table().splitlines()[2:]
    there = {path.stem for path in benchmarks_table.BENCHMARKS.glob("*.json")}
    assert there >= {"study_time", "decode", "loader"}
    assert len(rows) == sum(number.split()[0] in there for number, *_ in benchmarks_table.ROWS)
