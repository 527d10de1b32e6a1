"""The table of benchmarks: the numbers of ``benchmarks/*.json`` and their aims."""

from __future__ import annotations

import json
from pathlib import Path

from umt_lib.paths import ROOT
from umt_lib.study.report.format import TIMES, markdown

BENCHMARKS = ROOT / "benchmarks"
# (file and key, description with settings of the file, format, aim)
ROWS = (
    (
        "study_time study_minutes",
        "`make study`, everything trained",
        "{:.1f} min",
        "at most 10 min",
    ),
    (
        "study_time training_and_evaluation_share",
        "share of training and evaluation in its CPU time",
        "{:.0%}",
        "at least 90%",
    ),
    ("study_time no_op_seconds", "`make study`, nothing to do", "{:.1f} s", "at most 10 s"),
    ("study_time book_seconds", "`make book`", "{:.0f} s", "at most 150 s"),
    (
        "loop largest_ratio",
        "training loop, against a bare PyTorch loop, largest of four data sets",
        f"{{:.2f}}{TIMES}",
        f"at most 1.10{TIMES}",
    ),
    (
        "storm different_files",
        "files that differ after {kills} kills of the study at random moments",
        "{:d}",
        "0",
    ),
    ("peak_memory largest_mb", "memory of the largest experiment", "{:.0f} MB", "at most 1,500 MB"),
    *(
        (
            f"decode {size}_ratio",
            f"preparing clips ({{{size}_clip}}), against only decoding them",
            f"{{:.2f}}{TIMES}",
            "at least 0.8",
        )
        for size in ("large", "small")
    ),
    *(
        row
        for size, seconds, megabytes in (("small", "60", "2,000"), ("large", "300", "3,000"))
        for row in (
            (
                f"guide {size}_seconds",
                f"`umt guide`, {{{size}_samples:,}} samples of 2 x 512 features, 20 classes",
                "{:.0f} CPU s",
                f"at most {seconds} s",
            ),
            (f"guide {size}_mb", "its memory", "{:,.0f} MB", f"at most {megabytes} MB"),
        )
    ),
    ("gpu samples_per_second", "VGG-Sound-shaped training in bf16", "{:,.0f} samples/s", "none"),
    (
        "gpu ratio",
        "the same, against a plain fp32 loop over JPEGs with {plain_workers} processes",
        f"{{:.1f}}{TIMES}",
        "none",
    ),
    ("gpu idle_share", "its share of time without work on the GPU", "{:.0%}", "at most 10%"),
    (
        "gpu share_of_peak",
        "its operations per second, against products of large bf16 matrices",
        "{:.0%}",
        "none",
    ),
    ("gpu loader_ratio", "the loader, against the training step", f"{{:.1f}}{TIMES}", "at least 3"),
    ("loader ratio", "the loader, against ResNet-18 training", f"{{:.0f}}{TIMES}", "at least 3"),
)


def table(folder: Path = BENCHMARKS) -> str:
    """A Markdown table of all benchmarks with a file: what was measured, the aim, and where."""
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
