"""The pages of the book as notebooks: assembled from prose and cells, executed, kept.

A page of ``book/`` with code cells is a text notebook (``md:myst``). The page of a data set or of a
method is its own prose and the cells of one parameterised notebook (:data:`TEMPLATES`). papermill
executes them, several at once, in processes forked from this one, which has read all results.
"""

from __future__ import annotations

import gc
import importlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
import torch
from nbformat import NotebookNode, v4

from umt_lib import paths
from umt_lib.data import DATASETS
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically
from umt_lib.methods import METHODS
from umt_lib.study.pipeline.notebook_engine import NAME

CODE_CELL = "```{code-cell}"
TEMPLATES: dict[str, tuple[str, Collection[str]]] = {  # folder of pages: notebook, their names
    "datasets": ("dataset", DATASETS),
    "methods": ("method", METHODS),
}
PRELOAD = tuple(  # what pages import, so that each process need not
    f"umt_lib.study.report.{name}"
    for name in (
        "analysis_pages",
        "compared_page",
        "dataset_page",
        "experiment_page",
        "front_page",
        "kinds_page",
        "laziness_page",
        "maps_page",
        "method_page",
        "results_page",
    )
)
NOTEBOOKS = paths.ROOT / "notebooks"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


@dataclass(frozen=True)
class Page:
    """A notebook that makes a page.

    Attributes:
        name: of the page, ``datasets/watch``.
        prose: the text around the cells of the template, or the whole text notebook.
        template: stem of a notebook in ``notebooks/``, or "" if the prose has all cells.
        parameters: of the template.
    """

    name: str
    prose: str
    template: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def notebook(self) -> NotebookNode:
        """The page before its execution."""
        prose = jupytext.reads(self.prose, fmt="md:myst")
        cells = prose.cells
        options = {k: v for k, v in prose.metadata.items() if k not in ("jupytext", "kernelspec")}
        if self.template:
            cells = _placed(cells, template(self.template))
        fresh = [v4.new_code_cell(c.source, id=f"cell-{i}", metadata=c.metadata)
                 if c.cell_type == "code"
                 else v4.new_markdown_cell(c.source, id=f"cell-{i}", metadata=c.metadata)
                 for i, c in enumerate(cells)]  # fmt: skip
        metadata = {"kernelspec": KERNEL, **options, **self.metadata}
        return v4.new_notebook(cells=fresh, metadata=metadata)

    def source(self) -> str:
        """All that the page is made from, except results and code of the library."""
        return repr((self.prose, self.parameters, self.metadata, _text(self.template)))

    def executed(self) -> NotebookNode:
        """The page with its outputs.

        Raises:
            StudyError: a cell failed; the message names the page, the cell and the error.
        """
        try:
            done = papermill.execute_notebook(
                self.notebook(),
                None,
                parameters=dict(self.parameters),
                engine_name=NAME,
                kernel_name="python3",
                language="python",
                progress_bar=False,
            )
        except papermill.PapermillExecutionError as error:
            where = error.source.strip().splitlines()[-1]
            raise StudyError(
                f"page {self.name}: cell {error.cell_index}, `{where}`, raised {error.ename}: "
                f"{error.evalue}; correct the cell and build again"
            ) from None
        return tidied(done)


def pages(folder: Path) -> Iterator[Page]:
    """The pages in a folder of the book that are notebooks."""
    for file in sorted(folder.rglob("*.md")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name.startswith("_"):
            continue
        prose, (group, _, stem) = file.read_text(encoding="utf-8"), name.partition("/")
        notebook, names = TEMPLATES.get(group, ("", ()))
        if stem in names:
            yield Page(name, prose, notebook, {notebook: stem})
        elif CODE_CELL in prose:
            yield Page(name, prose)


def _placed(prose: Sequence[NotebookNode], cells: Sequence[NotebookNode]) -> list[NotebookNode]:
    """The cells of a template within the prose of a page.

    After the title come the cells up to the one tagged ``answer`` (without one, up to the
    parameters), after the introduction all others, then the rest of the prose.
    """
    first, *others = prose
    title, _, rest = first.source.partition("\n")
    introduction, heading, remaining = f"{rest}\n".partition("\n## ")
    tags = [cell.metadata.get("tags", []) for cell in cells]
    head = 1 + max(i for i, found in enumerate(tags) if {"answer", "parameters"} & {*found})
    return [
        v4.new_markdown_cell(title),
        *cells[:head],
        *_markdown(introduction),
        *cells[head:],
        *_markdown((heading + remaining).strip()),
        *others,
    ]


def _markdown(text: str) -> list[NotebookNode]:
    return [v4.new_markdown_cell(text.strip())] if text.strip() else []


def _text(name: str) -> str:
    return (NOTEBOOKS / f"{name}.py").read_text(encoding="utf-8") if name else ""


@cache
def template(name: str) -> tuple[NotebookNode, ...]:
    """The cells of a notebook in ``notebooks/`` without the first, which introduces it."""
    return tuple(jupytext.reads(_text(name), fmt="py:percent").cells[1:])


def tidied(notebook: NotebookNode) -> NotebookNode:
    """An executed page as the book shows it: code folded, figures with a text for blind readers.

    Sections in which no cell shows anything are left out, and so is what differs from one execution
    to the next.
    """
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        if cell.cell_type != "code":
            continue
        tags = cell.metadata.setdefault("tags", [])
        cell.outputs = [output for output in cell.outputs if not _is_empty(output)]
        if not cell.outputs and "remove-cell" not in tags:
            tags.append("remove-cell")
        elif not {"remove-cell", "remove-input"} & {*tags}:
            tags.append("hide-input")
        for output in cell.outputs:
            if len(output.get("data", {})) > 1:
                output.data.pop("text/plain", None)
            for about in output.get("metadata", {}).values():
                if isinstance(about, dict) and about.get("alt"):
                    cell.metadata["mystnb"] = {"image": {"alt": about["alt"]}}
    notebook.cells = list(_shown(notebook.cells))
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"  # papermill's are random
    return notebook


def _is_empty(output: NotebookNode) -> bool:
    return output.get("data", {}).get("text/markdown") == ""


def _shown(cells: Sequence[NotebookNode]) -> Iterator[NotebookNode]:
    """The cells without sections (a heading, text, code) all of whose code shows nothing."""
    sections: list[list[NotebookNode]] = [[]]
    for cell in cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            sections.append([])
        sections[-1].append(cell)
    for number, section in enumerate(sections):
        code = [cell for cell in section if cell.cell_type == "code"]
        if not number or not code or any(cell.outputs for cell in code):
            yield from section


def execute(made: Sequence[Page], folder: Path, done: Callable[[Page], None]) -> None:
    """Execute pages into ``folder``, one process per core.

    Args:
        done: called in the process that has executed a page, after it is written.

    Raises:
        StudyError: cells failed; the message has a line for each page.
    """
    for module in PRELOAD:
        importlib.import_module(module)
    workers = min(os.cpu_count() or 1, len(made))
    jobs = [(page, folder, done) for page in made]
    gc.collect()
    gc.freeze()  # all results are in memory: do not look through them after every page
    try:
        if sys.platform == "linux" and workers > 1:
            # of one thread each: OpenMP in a fork waits for ever for threads of its parent
            fork = multiprocessing.get_context("fork")
            with fork.Pool(workers, torch.set_num_threads, (1,)) as pool:
                failed = pool.starmap(_write, jobs, chunksize=4)
        else:
            failed = [_write(*job) for job in jobs]
    finally:
        gc.unfreeze()
    if errors := [error for error in failed if error]:
        raise StudyError("\n".join(errors))


def _write(page: Page, folder: Path, done: Callable[[Page], None]) -> str:
    """Execute a page and write it; return the error, if any."""
    try:
        text = nbformat.writes(page.executed())
    except StudyError as error:
        return str(error)
    write_if_new(folder / f"{page.name}.ipynb", text.encode())
    done(page)
    return ""


def write_if_new(file: Path, content: bytes) -> None:
    """Write a file unless it has this content, so that it is rendered only if it has changed."""
    if not file.exists() or file.read_bytes() != content:
        write_atomically(file, content)
