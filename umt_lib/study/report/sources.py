"""What Jupyter Book renders: the pages of ``book/``, those with cells as executed notebooks.

A file that has not changed since the last build is left as it is, so that it is not rendered again.
A page is executed again if its own text, the library, a params file, a result, or another file that
cells read has changed; the page of an experiment only if its own result or params have.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode, v4

from umt_lib import paths
from umt_lib.data.availability import available
from umt_lib.errors import StudyError
from umt_lib.study.experiments.results import measured_digest
from umt_lib.study.pipeline.collection import Entry, Shown, Study
from umt_lib.study.pipeline.notebook_engine import MEASURED
from umt_lib.study.pipeline.run_graph import digest
from umt_lib.study.report import benchmarks_table, experiment_page, notebooks, opened, pictures
from umt_lib.study.report.notebooks import Page, write_if_new
from umt_lib.study.report.tables import gains

EXPERIMENTS = "experiments"  # the folder of the pages of experiments
UNLISTED = {"orphan": True}  # not in the table of contents


def write(study: Study, book: Path, executed_here: Path | None, folder: Path) -> list[str]:
    """Write all pages into ``folder``; return the Markdown files that a notebook replaces.

    Args:
        book: the folder of pages as they are written.
        executed_here: the folder of notebooks that measured results on this machine, or None.
    """
    kept = _copied(book, folder)
    code, everything = digest(paths.ROOT / "umt_lib"), _inputs(study)
    pages = list(notebooks.pages(book))
    replaced = [f"{page.name}.md" for page in pages]
    state = {page.name: _digest(page.source(), code, everything) for page in pages}
    for entry in (entry for entry in study.entries if entry.result):
        page = _page(entry)
        file = folder / f"{page.name}.ipynb"
        kept.add(file)
        if executed := _executed_here(entry, executed_here):
            write_if_new(file, nbformat.writes(executed).encode())
        else:
            pages.append(page)
            state[page.name] = _digest(page.source(), code, _result(study, entry))
    journal = _Journal(folder.parent / "executed", state)
    waiting = [p for p in pages if not (journal.has(p) and (folder / f"{p.name}.ipynb").exists())]
    notebooks.execute(waiting, folder, journal)
    kept |= {folder / f"{name}.ipynb" for name in state}
    if gone := [file for file in folder.rglob("*") if file.is_file() and file not in kept]:
        for file in gone:
            file.unlink()
        for made in ("html", "doctrees"):  # other pages may have links to what is gone
            shutil.rmtree(folder.parent / made, ignore_errors=True)
    return replaced


@dataclass(frozen=True)
class _Journal:
    """Digests of what pages were executed from, in a file for each page."""

    folder: Path
    digests: Mapping[str, str]

    def __call__(self, page: Page) -> None:
        """Record that a page was executed."""
        write_if_new(self.folder / page.name, self.digests[page.name].encode())

    def has(self, page: Page) -> bool:
        """Whether the page was executed from the same."""
        file = self.folder / page.name
        return file.exists() and file.read_text() == self.digests[page.name]


def _copied(source: Path, folder: Path) -> set[Path]:
    """Copy the files of the book that have changed; return all copies."""
    copies = set()
    for file in source.rglob("*"):
        place = file.relative_to(source)
        if file.is_file() and place.parts[0] != "_build" and "__pycache__" not in place.parts:
            write_if_new(folder / place, file.read_bytes())
            copies.add(folder / place)
    return copies


def _page(entry: Entry) -> Page:
    """The page of an experiment, which opens its result."""
    title = f"# {experiment_page.title(entry)}"
    name = f"{EXPERIMENTS}/{entry.name}"
    return Page(name, title, "result", {"name": entry.name}, UNLISTED)


def _executed_here(entry: Entry, folder: Path | None) -> NotebookNode | None:
    """The notebook that measured the result of an entry on this machine, as the book shows it.

    None if there is none, or if it measured something else: it may be of an earlier run, or failed.
    """
    file, local = folder / f"{entry.name}.ipynb" if folder else None, opened.folders().local
    if not entry.local or not local or not file or not file.exists():
        return None
    try:
        notebook = nbformat.reads(file.read_text(encoding="utf-8"), as_version=4)
    except Exception:
        raise StudyError(
            f"{file}: not a complete notebook; delete it and run `make study` again"
        ) from None
    if notebook.metadata.pop(MEASURED, None) != measured_digest(local, entry.name):
        return None
    notebook.metadata.update(UNLISTED)
    for cell in notebook.cells:
        if cell.cell_type == "code":  # without progress bars
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    first = v4.new_markdown_cell(f"# {experiment_page.title(entry)}", id="title")
    notebook.cells = [first, *notebook.cells[1:]]
    shown = notebooks.tidied(notebook)
    for cell in shown.cells:
        if "injected-parameters" in (tags := cell.metadata.get("tags", [])):
            tags.remove("remove-cell")
    return shown


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _inputs(study: Study) -> str:
    """Digest of all that cells may read: results, params, other files, which data is available."""
    shown = [(e.name, e.origin, e.stale, _content(e), e.params) for e in study.shown]
    options = {e.dataset: e.params["dataset"] for e in study.entries}
    data = {dataset: available(given) for dataset, given in options.items()}
    benchmarks = benchmarks_table.BENCHMARKS.glob("*.json")
    files = digest(opened.literature(), pictures.FOLDER, *benchmarks)
    return _digest(repr(shown), repr(data), files)


def _result(study: Study, entry: Entry) -> str:
    """Digest of what the page of an experiment shows."""
    shown = entry.name, entry.origin, entry.stale, _content(entry), entry.params
    return _digest(repr(shown), repr(gains(study, [entry]).gains))


def _content(entry: Shown) -> str:
    return "" if entry.result is None else _digest(entry.result.model_dump_json())
