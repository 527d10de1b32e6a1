"""Writes the fragments that pages of the book include: texts, tables, figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from umt_lib import style
from umt_lib.study.pipeline.collection import STALE, Entry, Study
from umt_lib.study.report import (
    tables,
)

FOLDERS = {
    "this machine": ("local", "runs/results", ""),
    "published": ("published", "results", ""),
    STALE: ("published", "results", " (stale)"),
}
MANY = 12  # more files than these are named by their pattern: the rows say which of them


class Fragments:
    """Writes into ``folder``, which the pages know as ``/_generated``."""

    def __init__(self, study: Study, folder: Path):
        self.study, self.folder = study, folder
        folder.mkdir(parents=True, exist_ok=True)

    def text(self, name: str, content: str) -> None:
        (self.folder / f"{name}.md").write_text(content + "\n", encoding="utf-8")

    def table(
        self,
        name: str,
        content: str,
        entries: Sequence[Entry] = (),
        source: str = "",
        after: str = "",
    ) -> None:
        if "|" in content:  # an empty one is a sentence
            content = f"```{{table}}\n:class: sortable\n\n{content}\n```"
        if any(entry.result for entry in entries):
            source = self.made_from(entries)
        if source:
            content += f"\n\n<p class='source'>{source}</p>"
        self.text(name, content + after)

    def accuracies(self, name: str, entries: Sequence[Entry], by: str = "method") -> None:
        """The table of those that have run, and which have not."""
        waiting = ", ".join(f"`{entry.name}`" for entry in entries if not entry.result)
        after = f"\n\nNot run yet: {waiting}." if waiting else ""
        self.table(name, tables.accuracies(self.study, entries, by), entries, after=after)

    def figure(
        self,
        name: str,
        figure: Figure,
        alt: str,
        caption: str,
        entries: Sequence[Entry] = (),
        source: str = "",
    ) -> None:
        """An svg, or a png for a picture (which comes from data, not from results)."""
        source = self.made_from(entries) if entries else source
        file = f"{name}.{'svg' if source else 'png'}"
        style.save(figure, self.folder / file)
        source = source.replace("*", r"\*")  # a caption is Markdown, in which two stars slant text
        made_from = f" <span class='source'>{source}</span>" if source else ""
        head = f"```{{figure}} /_generated/{file}\n:name: fig-{name}\n:alt: {alt}"
        self.text(name, f"{head}\n\n{caption}{made_from}\n```")

    def analysed_from(self, function: str) -> str:
        """:meth:`made_from` for the analyses by ``function``."""
        shown = []
        for entry in self.study.analysed(function):
            _, place, mark = FOLDERS[entry.origin]
            shown.append(f"<code>{place}/analyses/{entry.name}.json</code>{mark}")
        return f"Made from {', '.join(shown)}."

    def made_from(self, entries: Sequence[Entry]) -> str:
        """``Made from results/watch-{joint-linear,umt}.json``: the files numbers were read from."""
        files: dict[tuple[str, str], list[str]] = defaultdict(list)
        for entry in entries:
            if entry.result:
                files[entry.origin, entry.dataset].append(entry.name)
        shown = []
        for (origin, dataset), names in files.items():
            kind, place, mark = FOLDERS[origin]
            every = [e.name for e in self.study.of(dataset) if getattr(e, kind)]
            listed = names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"
            listed = "*" if names == every or len(names) > MANY else listed
            if all(name.startswith(f"{dataset}-") for name in every):
                listed = f"{dataset}-" + listed.replace(f"{dataset}-", "")
            shown.append(f"<code>{place}/{listed}.json</code>{mark}")
        return f"Made from {', '.join(shown)}."
