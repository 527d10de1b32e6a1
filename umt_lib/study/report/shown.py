"""What a cell of a page shows: Markdown, or a figure with a caption; each names its source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from IPython.display import display, publish_display_data

from umt_lib.study.pipeline.collection import STALE, Entry, Study
from umt_lib.study.report import tables
from umt_lib.style import Figure

FOLDERS = {
    "this machine": ("local", "runs/results", ""),
    "published": ("published", "results", ""),
    STALE: ("published", "results", " (stale)"),
}
MANY = 12  # more files than this are named by a pattern; the rows of the table identify them


class Text(str):
    """Markdown, which notebooks and the book render."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def text(*parts: str) -> Text:
    """Paragraphs of Markdown; empty ones are left out."""
    return Text("\n\n".join(part for part in parts if part))


def table(
    content: str,
    source: str | Study = "",
    entries: Sequence[Entry] = (),
    after: str = "",
) -> Text:
    """A table with its source, and a sentence after it.

    Args:
        source: a sentence, or the study to which ``entries``, the sources, belong.
    """
    if isinstance(source, Study):
        source = made_from(source, entries)
    return text(content, source, after)


def accuracies(study: Study, entries: Sequence[Entry], by: str = "method") -> Text:
    """The table of accuracies, what bold means, and which experiments have no result."""
    waiting = [entry.name for entry in entries if not entry.result]
    names = ", ".join(f"<code>{name}</code>" for name in waiting)
    return text(
        tables.accuracies(study, entries, by),
        made_from(study, entries),
        tables.note(tables.gains(study, entries)),
        f'<details class="source"><summary>Experiments not run yet: {len(waiting)}</summary>{names}'
        f"</details>"
        if waiting
        else "",
    )


def figure(drawn: Figure, alt: str, caption: str = "", source: str = "") -> None:
    """Display a figure, then its caption and source; ``alt`` says what the figure shows."""
    drawn.alt = alt
    display(drawn)
    caption = f'<span class="caption">{caption}</span>' if caption else ""
    if shown := text(caption, source):
        display(shown)


def picture(file: Path, alt: str, caption: str) -> None:
    """Display a png file as a figure, then its caption."""
    metadata = {"image/png": {"alt": alt}}
    publish_display_data({"image/png": file.read_bytes(), "text/plain": alt}, metadata)
    display(text(f'<span class="caption">{caption}</span>'))


def made_from(study: Study, entries: Sequence[Entry]) -> str:
    """The results files of ``entries``, folded if there are more than one.

    For example ``Made from results/watch-{joint-linear,umt}.json``.
    """
    files: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in entries:
        if entry.result:
            files[entry.origin, entry.dataset].append(entry.name)
    listed = []
    for (origin, dataset), names in files.items():
        kind, place, mark = FOLDERS[origin]
        every = [e.name for e in study.of(dataset) if getattr(e, kind)]
        shown = names[0] if len(names) == 1 else f"{{{', '.join(names)}}}"
        shown = "*" if names == every or len(names) > MANY else shown
        if all(name.startswith(f"{dataset}-") for name in every):
            shown = f"{dataset}-" + shown.replace(f"{dataset}-", "")
        listed.append(f"<code>{place}/{shown}.json</code>{mark}")
    return folded(listed, sum(map(len, files.values())))


def analysed_from(study: Study, function: str) -> str:
    """The same as :func:`made_from`, for the analyses that use ``function``."""
    listed = []
    for entry in study.analysed(function):
        _, place, mark = FOLDERS[entry.origin]
        listed.append(f"<code>{place}/analyses/{entry.name}.json</code>{mark}")
    return folded(listed, len(listed))


def folded(listed: Sequence[str], count: int) -> str:
    """``Made from`` these files, as HTML that shows their number until it is opened."""
    if not listed:
        return ""
    files = ", ".join(listed)
    if count == 1:
        return f'<p class="source">Made from {files}.</p>'
    return f'<details class="source"><summary>Made from {count} files</summary>{files}.</details>'
