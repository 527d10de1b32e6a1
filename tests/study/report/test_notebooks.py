"""Pages as notebooks: assembled from prose and cells, executed, tidied."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import jupytext
import nbformat
import pytest
import tiny_study

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.study.report import notebooks, opened, sources
from umt_lib.study.report.notebooks import CODE_CELL, Page

BOOK = paths.ROOT / "book"
PROSE = """# Watch: what?

Introduction.

## Get it

Plainly.

```{code-cell}
print(dataset)
```
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tiny_study.Folders:
    return tiny_study.make(tmp_path_factory.mktemp("study"))


@pytest.fixture
def shown(folders):
    """The tiny study is the one that pages show."""
    opened.choose(opened.Folders(*folders))
    yield opened.study()
    opened._chosen.clear()
    opened.study.cache_clear()


def cell(code: str) -> Page:
    return Page("a/page", f"# Title\n\n{CODE_CELL}\n{code}\n```\n")


def test_the_answer_follows_the_title_and_the_cells_the_introduction():
    cells = Page("datasets/watch", PROSE, "dataset", {"dataset": "watch"}).notebook().cells
    places = [c.source.strip() for c in cells]
    order = [
        "# Watch: what?",
        "page.verdict(dataset)",
        "Introduction.",
        "page.accuracy(dataset)",
        "## Get it\n\nPlainly.",
        "print(dataset)",
    ]
    assert [places.index(text) for text in order] == sorted(places.index(text) for text in order)
    assert places[0] == order[0]
    assert places[-1] == order[-1]


def test_every_data_set_and_method_has_the_cells_of_its_notebook():
    found = {page.name: page for page in notebooks.pages(BOOK)}
    for folder, (notebook, names) in notebooks.TEMPLATES.items():
        for name in names:
            page = found[f"{folder}/{name}"]
            assert page.template == notebook
            assert page.parameters == {notebook: name}
    assert found["methods/index"].template == ""
    for name in notebooks.DATASETS:  # the answer comes first
        first = [c.source for c in found[f"datasets/{name}"].notebook().cells[1:5]]
        assert first.index("page.verdict(dataset)") == 2, name


def test_a_page_with_cells_is_a_notebook_for_jupyterlab():
    for file in sorted(BOOK.glob("*.md")) + sorted(BOOK.glob("*/*.md")):
        text = file.read_text(encoding="utf-8")
        if CODE_CELL in text:
            kinds = [c.cell_type for c in jupytext.read(file).cells]
            assert "code" in kinds, f"{file}: begin it as CONTRIBUTING.md says"


def test_what_a_cell_shows_is_kept_and_its_code_folded():
    done = cell("from IPython.display import Markdown\nMarkdown('**yes**')").executed()
    (code,) = [c for c in done.cells if c.cell_type == "code"]
    assert code.outputs[0]["data"] == {"text/markdown": "**yes**"}
    assert "hide-input" in code.metadata["tags"]


def test_a_section_in_which_no_cell_shows_anything_is_left_out():
    empty, full = f"## Empty\n\nText.\n\n{CODE_CELL}\nx = 1\n```\n", "## Full\n\nMore.\n"
    prose = f"# T\n\n+++\n\n{empty}\n{full}"  # +++ begins a cell
    sources = [c.source for c in Page("p", prose).executed().cells]
    assert not any("Empty" in text for text in sources)
    assert any("Full" in text for text in sources)  # it has no cell that could show anything


def test_a_figure_has_its_alternative_text():
    code = (
        "from umt_lib.study.report import figures, shown\n"
        "shown.figure(figures.feature_kinds(), 'Two drawings.', 'A caption.')"
    )
    (shown,) = [c for c in cell(code).executed().cells if c.cell_type == "code"]
    assert shown.metadata["mystnb"]["image"]["alt"] == "Two drawings."
    picture, caption = (output["data"] for output in shown.outputs)
    assert picture["image/svg+xml"].startswith("<svg")
    assert "A caption." in caption["text/markdown"]


def test_the_same_page_executed_twice_is_the_same_file():
    page = cell("print(1)")
    assert nbformat.writes(page.executed()) == nbformat.writes(page.executed())


def test_a_cell_that_fails_names_the_page_the_cell_and_the_error():
    with pytest.raises(StudyError, match=r"page a/page: cell 1, `1 / 0`, raised ZeroDivisionError"):
        cell("x = 1\n1 / 0").executed()


def test_all_pages_that_fail_are_named_and_the_others_are_written(tmp_path):
    good = Page("good", "# Good\n")
    bad = [Page(name, f"# B\n\n{CODE_CELL}\n{name}\n```\n") for name in ("one", "two")]
    done = []
    with pytest.raises(StudyError, match=r"(?s)page one.*page two"):
        notebooks.execute([bad[0], good, bad[1]], tmp_path, done.append)
    assert [f.name for f in tmp_path.iterdir()] == ["good.ipynb"]


def test_only_what_has_changed_is_executed_again(shown, folders, tmp_path, monkeypatch):
    book = tmp_path / "book"
    book.mkdir()
    (book / "a.md").write_text("# A\n\n```{code-cell}\nprint(1)\n```\n")
    (book / "b.md").write_text("# B\n\n```{code-cell}\nprint(2)\n```\n")
    executed = []
    real = notebooks.execute

    def counting(made, folder, done):
        executed.append([page.name for page in made])
        real(made, folder, done)

    monkeypatch.setattr(notebooks, "execute", counting)
    work = tmp_path / "work/pages"
    assert sources.write(shown, book, None, work) == ["a.md", "b.md"]
    times = {f: f.stat().st_mtime_ns for f in work.rglob("*.ipynb")}
    (book / "b.md").write_text("# B\n\n```{code-cell}\nprint(3)\n```\n")
    sources.write(shown, book, None, work)
    assert len(executed[0]) == 2 + 7  # seven experiments have a result
    assert executed[1] == ["b"]
    changed = [f.stem for f, time in times.items() if f.stat().st_mtime_ns != time]
    assert changed == ["b"]


def test_what_a_cell_reads_beside_results_is_read_again_when_it_changes(
    shown, folders, tmp_path, monkeypatch
):
    """Accuracies of others, benchmarks, shipped pictures, the estimate of an unfinished run."""
    book, benchmarks, pictures = (tmp_path / n for n in ("book", "benchmarks", "pictures"))
    for folder in (book, benchmarks, pictures):
        folder.mkdir()
    published = tmp_path / "published"
    shutil.copytree(folders.published, published)
    opened.choose(opened.Folders(folders.params, published, folders.local))
    monkeypatch.setattr(sources.benchmarks_table, "BENCHMARKS", benchmarks)
    monkeypatch.setattr(sources.pictures, "FOLDER", pictures)
    monkeypatch.setattr(sources, "_page", lambda entry: Page(f"experiments/{entry.name}", "# T\n"))
    files = [published / "literature.csv", benchmarks / "new.json", pictures / "watch.png"]
    read = f"[Path(f).read_bytes() for f in {[*map(str, files)]} if Path(f).exists()]"
    waiting = "study().named['synthetic-joint-longer'].hours"
    (book / "a.md").write_text(
        "# A\n\n```{code-cell}\nfrom pathlib import Path\n"
        f"from umt_lib.study.report.opened import study\nprint({read}, {waiting})\n```\n"
    )

    def written() -> str:
        sources.write(opened.study(), book, None, tmp_path / "work/pages")
        return (tmp_path / "work/pages/a.ipynb").read_text()

    before = written()
    for number, file in enumerate(files):
        file.write_text(f"content {number}")
        assert f"content {number}" not in before
        assert f"content {number}" in (before := written())
    entry = opened.study().named["synthetic-joint-longer"]
    monkeypatch.setitem(entry.params, "resources", {"gpu_hours": 4321})
    assert "4321" in written()


def test_a_page_of_an_experiment_has_its_accuracy_in_the_title(shown):
    page = sources._page(shown.named["synthetic-umt"])
    first = page.executed().cells[0].source
    assert first.startswith("# synthetic, UMT (linear): ")
    assert first.count("%") == 1


THREADED = """
import os, sys
from pathlib import Path
os.cpu_count = lambda: 2
import torch
torch.set_num_threads(2)
torch.rand(2**20).abs()
from umt_lib.study.report.notebooks import CODE_CELL, Page, execute
prose = f"# Title\\n\\n{CODE_CELL}\\nimport torch\\ntorch.rand(2**20).abs().shape\\n```\\n"
execute([Page("first", prose), Page("second", prose)], Path(sys.argv[1]), print)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are forked on Linux only")
def test_cells_compute_although_this_process_has_used_threads(tmp_path):
    """OpenMP in a forked process waits for ever if it needs more threads than one."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    command = [sys.executable, "-c", THREADED, str(tmp_path)]
    subprocess.run(command, env=environment, check=True, timeout=120, capture_output=True)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["first.ipynb", "second.ipynb"]
