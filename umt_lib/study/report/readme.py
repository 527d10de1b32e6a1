"""Renew the answer in README.md, in short, claims and figure, from the published results."""

from __future__ import annotations

import re
from pathlib import Path

from umt_lib import style
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import claims, gains, in_short, summaries

BLOCK = re.compile(r"(<!-- answer: generated -->\n).*?(<!-- end -->)", re.DOTALL)
FIGURE = "book/images/gains.svg"


def renew(readme: Path, study: Study) -> bool:
    """Write the answer into its block of ``readme``, and the figure; return whether any changed.

    Raises:
        StudyError: the file has no such block.
    """
    old = readme.read_text(encoding="utf-8")
    new = with_answer(old, study, str(readme))
    figure = readme.parent / FIGURE
    before = figure.read_bytes() if figure.exists() else b""
    if new != old:
        write_atomically(readme, new.encode())
    style.save(gains.figure(study), figure)
    return new != old or figure.read_bytes() != before


def with_answer(text: str, study: Study, source: str) -> str:
    """``text`` with the answer of ``study`` in its block; ``source`` is the file in messages."""
    if not BLOCK.search(text):
        raise StudyError(
            f"{source}: no block for the answer; add the lines '<!-- answer: generated -->' and "
            f"'<!-- end -->'"
        )
    parts = (
        in_short.sentences(study),
        "The claims of the paper, and what the results of this study say about them:",
        claims.table(study, "book/"),
        claims.NOTE,
        f"![{gains.ALT}]({FIGURE})",
        f"{gains.CAPTION} {gains.sentence(study)}",
        summaries.stale(study),
    )
    answer = "\n\n".join(part for part in parts if part)
    return BLOCK.sub(lambda found: f"{found[1]}\n{answer}\n\n{found[2]}", text)
