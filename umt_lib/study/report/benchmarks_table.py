"""What the study's machinery costs: the numbers of ``benchmarks/*.json`` beside their aims."""

from __future__ import annotations

import json
from pathlib import Path

from umt_lib.paths import ROOT
from umt_lib.study.report.format import TIMES, markdown

BENCHMARKS = ROOT / "benchmarks"
# (file and key, what it is (with settings of the file), how it is written, aim)
ROWS = (
    (
        "study_time study_minutes",
        "`make study`, everything trained",
        "{:.1f} min",
        "15, at most 25",
    ),
    (
        "study_time training_and_evaluation_share",
        "CPU share of training in it",
        "{:.0%}",
        "over 85%",
    ),
    ("study_time no_op_seconds", "`make study`, nothing to do", "{:.1f} s", "at most 10 s"),
    ("study_time book_seconds", "`make book`", "{:.0f} s", "at most 60 s"),
    ("peak_memory largest_mb", "memory of the largest experiment", "{:.0f} MB", "at most 1,500 MB"),
    *(
        (
            f"decode {size}_ratio",
            f"clips ({{{size}_clip}}) prepared, against only decoded",
            f"{{:.2f}}{TIMES}",
            "at least 0.8",
        )
        for size in ("large", "small")
    ),
    ("gpu samples_per_second", "VGG-Sound-shaped training in bf16", "{:,.0f} samples/s", "none"),
    (
        "gpu ratio",
        "that, against a plain fp32 loop over JPEGs, {plain_workers} processes",
        f"{{:.1f}}{TIMES}",
        "none",
    ),
    ("gpu idle_share", "time without work on the GPU in it", "{:.0%}", "at most 10%"),
    ("gpu share_of_peak", "its operations, against large bf16 matrices", "{:.0%}", "none"),
    ("gpu loader_ratio", "the loader, against the step alone", f"{{:.1f}}{TIMES}", "at least 3"),
    ("loader ratio", "the loader, against ResNet-18 training", f"{{:.0f}}{TIMES}", "at least 3"),
)


def table(folder: Path = BENCHMARKS) -> str:
    """A Markdown table of what was measured and where; a file that is not there has no row."""
    rows = []
    for number, what, form, aim in ROWS:
        name, key = number.split()
        if (file := folder / f"{name}.json").exists():
            found = json.loads(file.read_text(encoding="utf-8"))
            on = f"{found['cores']} cores, {found['environment']['device']}"
            rows.append(
                [what.format(**found), form.format(found[key]), aim, on, f"`benchmarks/{name}.py`"]
            )
    return markdown(["", "measured", "aim", "on", "by"], rows)
