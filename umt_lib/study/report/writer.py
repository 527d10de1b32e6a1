"""Write the fragments that the pages of the book include: texts, tables and figures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from umt_lib import style
from umt_lib.study.pipeline.collection import STALE, Entry, Study
from umt_lib.study.report import (
    tables,
)
from umt_lib.style import Figure

FOLDERS = {
    "this machine": ("local", "runs/results", ""),
    "published": ("published", "results", ""),
    STALE: ("published", "results", " (stale)"),
}
MANY = 12  # more files than this are named by a pattern; the rows of the table identify them


class Fragments:
    """Writes fragments into ``folder``, which is ``/_generated`` for the pages."""

    def __init__(self, study: Study, folder: Path):
        self.study, self.folder = study, folder
        folder.mkdir(parents=True, exist_ok=True)

    def text(self, name: str, content: str, source: str = "", after: str = "") -> None:
        """Write Markdown, with its source if one is given, and a sentence after it."""
        if source:
            content += f"\n\n<p class='source'>{source}</p>"
        (self.folder / f"{name}.md").write_text(content + after + "\n", encoding="utf-8")

    def table(
        self,
        name: str,
        content: str,
        entries: Sequence[Entry] = (),
        source: str = "",
        after: str = "",
    ) -> None:
        """Write a sortable table with its source, and a sentence after it."""
        if "|" in content:  # an empty table is a sentence
            content = f"```{{table}}\n:class: sortable\n\n{content}\n```"
        if any(entry.result for entry in entries):
            source = self.made_from(entries)
        self.text(name, content, source, after)

    def accuracies(self, name: str, entries: Sequence[Entry], by: str = "method") -> None:
        """Write the table of accuracies, what bold means, and which experiments have no result."""
        waiting = ", ".join(f"`{entry.name}`" for entry in entries if not entry.result)
        after = tables.note(tables.gains(self.study, entries))
        after = (f"\n\n{after}" if after else "") + (
            f"\n\nNot run yet: {waiting}." if waiting else ""
        )
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
        """Write a figure: svg if it is made from results, png if it is made from data."""
        source = self.made_from(entries) if entries else source
        file = f"{name}.{'svg' if source else 'png'}"
        style.save(figure, self.folder / file)
        source = source.replace("*", r"\*")  # in Markdown, two stars make text italic
        made_from = f" <span class='source'>{source}</span>" if source else ""
        head = f"```{{figure}} /_generated/{file}\n:name: fig-{name}\n:alt: {alt}"
        self.text(name, f"{head}\n\n{caption}{made_from}\n```")

    def analysed_from(self, function: str) -> str:
        """The same as :meth:`made_from`, for the analyses that use ``function``."""
        shown = []
        for entry in self.study.analysed(function):
            _, place, mark = FOLDERS[entry.origin]
            shown.append(f"<code>{place}/analyses/{entry.name}.json</code>{mark}")
        return f"Made from {', '.join(shown)}."

    def made_from(self, entries: Sequence[Entry]) -> str:
        """The results files of ``entries``: ``Made from results/watch-{joint-linear,umt}.json``."""
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
