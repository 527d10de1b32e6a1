"""Statements about other people's code name the commit that was read."""

from __future__ import annotations

import ast
import re

import pytest

from umt_lib import paths

THEIRS = re.compile(
    r"released (code|settings|version)|(authors'?|their|official|public) (code|port)"
    r"|code does|the authors (start|train|use)|\btoolkit\b|github\.com/(?!Jakobovski)",
    re.IGNORECASE,
)
COMMIT = re.compile(r"(commit [0-9a-f]{7}\b|/tree/[0-9a-f]{40}\b)")
GENERAL = {  # sections that speak of such code in general, and link to pages that name it
    ("book/compared/released.md", "The effect on accuracy"),
}


def sections() -> list[tuple[str, str, str]]:
    """(file, heading, text) of the book, and (file, "", docstring) of every module."""
    found = []
    for page in sorted((paths.ROOT / "book").rglob("*.md")):
        if {"_build", "datasets"} & set(page.parts):
            continue
        name = str(page.relative_to(paths.ROOT))
        for part in re.split(r"^#+ ", page.read_text(encoding="utf-8"), flags=re.M)[1:]:
            heading, _, text = part.partition("\n")
            found.append((name, heading, text))
    for module in sorted((paths.ROOT / "umt_lib").rglob("*.py")):
        if "data" not in module.parts:  # addresses of data sets
            text = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
            found.append((str(module.relative_to(paths.ROOT)), "", text))
    return found


def unnamed(found: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """The sections that speak of other people's code and name no commit."""
    return [
        (name, heading)
        for name, heading, text in ((n, h, " ".join(x.split())) for n, h, x in found)
        if THEIRS.search(text) and not COMMIT.search(text) and (name, heading) not in GENERAL
    ]


def test_every_statement_about_other_peoples_code_names_a_commit():
    assert unnamed(sections()) == []


def test_a_statement_without_a_commit_is_noticed():
    text = "In the released\ncode the term has no gradient."
    assert unnamed([("a.md", "Watch", text)]) == [("a.md", "Watch")]
    assert unnamed([("a.md", "Watch", text + " `train.py` of `a/b` (commit 441eb51).")]) == []


@pytest.mark.parametrize(
    "name", ["cggm", "di-mml", "reconboost", "ogm-ge", "mla", "mmtm", "mbt", "mmpareto", "pmr"]
)
def test_a_page_lists_constants_that_are_not_the_papers(name):
    text = (paths.ROOT / "book" / "methods" / f"{name}.md").read_text(encoding="utf-8")
    (part,) = re.findall(r"^## Constants\n(.*?)(?:^## |\Z)", text, flags=re.M | re.S)
    assert COMMIT.search(" ".join(part.split()))
