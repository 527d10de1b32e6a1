"""Find the raw files of a data set in the layouts in which people have them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from umt_lib.data.prepare.store import Sample

VIDEO = (".mp4", ".mkv", ".webm", ".avi", ".flv", ".mov")


def files(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """List the files in a folder and its sub-folders, by name; links to folders are followed.

    Names that begin with a dot are ignored: macOS writes a file ``._x`` beside every ``x`` on a
    disk of another system.

    Args:
        endings: of the file names, in lower case; the case of a name does not matter.
    """
    found, seen = [], set[tuple[int, int]]()
    folders = [folder] if folder.is_dir() else []
    while folders:
        current = folders.pop()
        about = current.stat()
        if (about.st_dev, about.st_ino) in seen:  # a link to a folder above it
            continue
        seen.add((about.st_dev, about.st_ino))
        try:
            entries = sorted(os.scandir(current), key=lambda entry: entry.name)
        except PermissionError:  # e.g. of lost+found; what it holds counts as missing
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(Path(entry.path))
            elif entry.name.lower().endswith(endings) and entry.is_file():
                found.append(Path(entry.path))
    return sorted(found)


def by_stem(paths: Iterable[Path]) -> dict[str, Path]:
    """{file name without its ending: path}; of several files of a name the first is taken."""
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(path.stem, path)
    return found


def clip_names(video: str, start: int, end: int) -> list[str]:
    """List the names that public scripts give to a clip of a YouTube video; times in seconds."""
    return [
        f"{video}_{times}"
        for times in (f"{start:06d}_{end:06d}", f"{start:06d}", f"{start}_{end}", f"{start}")
    ]


def find_clip(found: dict[str, Path], video: str, start: int, end: int, otherwise: Path) -> Path:
    """Return the file of a clip of a YouTube video, or ``otherwise`` if there is none.

    Args:
        found: as :func:`by_stem` gives it.
        start: of the clip, in seconds.
        end: of the clip, in seconds.
    """
    names = clip_names(video, start, end)
    return next((found[name] for name in names if name in found), otherwise)


def odd_file(path: Path, root: Path, example: str) -> Sample:
    """Return a file whose name is not that of a sample, to be left out and listed.

    Args:
        example: a right name.
    """
    reason = f"its name is not like {example}"
    return Sample(str(path.relative_to(root)), -1, "", "", path, left_out=reason)
