"""Renew the answer in README.md from the published results."""

from __future__ import annotations

import re
from pathlib import Path

from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import summaries, tables

BLOCK = re.compile(r"(<!-- answer table: generated -->\n).*?(<!-- end -->)", re.DOTALL)


def renew(readme: Path, study: Study) -> bool:
    """Write the answer into its block of ``readme``; return whether the file changed.

    Raises:
        StudyError: the file has no such block.
    """
    old = readme.read_text(encoding="utf-8")
    new = with_answer(old, study, str(readme))
    if new != old:
        write_atomically(readme, new.encode())
    return new != old


def with_answer(text: str, study: Study, source: str) -> str:
    """``text`` with the answer of ``study`` in its block; ``source`` is the file in messages."""
    if not BLOCK.search(text):
        raise StudyError(
            f"{source}: no block for the answer table; add the lines "
            f"'<!-- answer table: generated -->' and '<!-- end -->'"
        )
    parts = (
        summaries.verdict(study),
        tables.answer(study),
        summaries.answer(study),
        summaries.stale(study),
    )
    answer = "\n\n".join(parts)
    return BLOCK.sub(lambda found: f"{found[1]}\n{answer}\n\n{found[2]}", text)
