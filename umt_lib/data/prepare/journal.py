"""The folder of a preparation: preallocated arrays, and a journal of the finished samples."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from umt_lib.data.prepare.prepared import check_same_settings
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically

SAVE_EVERY = 1.0  # seconds between two writes of rows and journal to disk
Layout = dict[str, tuple[tuple[int, ...], np.dtype]]  # {modality: (shape of one row, type)}


class Journal:
    """The finished samples of a folder, by id, and a log to which new ones are appended.

    Lines are appended every second, always after the rows are on disk. A row belongs to the sample
    that finished it, also if the list of samples changes.

    Args:
        path: of the journal.
        header: its first line: what the arrays depend on.
        layout: {modality: (shape of a row, type)}.
        done: {id: (row, sha256)} of the finished samples.
        size: bytes of the journal up to its last complete line; 0 for a new one.

    Attributes:
        arrays: {modality: its array file}.
    """

    def __init__(
        self,
        path: Path,
        header: dict[str, Any],
        layout: Layout,
        done: dict[str, tuple[int, str]],
        size: int,
    ):
        self.path, self.header, self.layout, self.done, self.size = path, header, layout, done, size
        self.arrays = {m: path.parent / f"{m}.npy" for m in layout}
        self.open_files: list[BinaryIO] = []
        self.lines: list[str] = []
        self.written = time.monotonic()

    def begin(self, samples: int) -> list[int]:
        """Allocate rows for ``samples`` new ones and open the files; return the rows.

        Rows of samples that were not finished are used again.

        Raises:
            StudyError: there is no disk space.
        """
        if not self.size:  # what a command left that ended before it wrote the journal
            for path in self.arrays.values():
                path.unlink(missing_ok=True)
        used = {row for row, _ in self.done.values()}
        rows = list(islice((row for row in count() if row not in used), samples))
        _allocate(self.arrays, self.layout, max([*used, *rows], default=-1) + 1)
        if not self.size:
            line = (json.dumps(self.header) + "\n").encode()
            write_atomically(self.path, line)
            self.size = len(line)
        self.open_files = [path.open("rb+") for path in (*self.arrays.values(), self.path)]
        self.open_files[-1].truncate(self.size)
        self.open_files[-1].seek(0, os.SEEK_END)
        return rows

    def add(self, name: str, row: int, sha256: str | None, reason: str | None) -> None:
        """Log that a sample's row is written, with its sha256, or the reason why it cannot be."""
        line = {"id": name, "row": row, "sha256": sha256, "reason": reason}
        self.lines.append(json.dumps(line) + "\n")
        if sha256 is not None:
            self.done[name] = row, sha256
        if time.monotonic() - self.written > SAVE_EVERY:
            self.write()

    def write(self) -> None:
        """Force the arrays to disk, then append the new lines to the journal.

        Raises:
            OSError: naming the journal, whose last line may be incomplete then.
        """
        *arrays, journal = self.open_files
        try:
            for file in arrays:
                os.fsync(file.fileno())
            journal.write("".join(self.lines).encode())
            journal.flush()
            os.fsync(journal.fileno())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self.lines.clear()
        self.written = time.monotonic()

    def close(self) -> None:
        """Write what is left, and close the files."""
        try:
            self.write()
        finally:
            for file in self.open_files:
                with suppress(OSError):  # of lines that could not be written, which is raised
                    file.close()


@contextmanager
def open_journal(out: Path, header: dict[str, Any], layout: Layout) -> Iterator[Journal]:
    """Lock the folder ``out`` and read its journal; nothing is allocated yet.

    Args:
        header: what the arrays depend on; the same as when the folder was created.
        layout: {modality: (shape of a row, type)}.

    Raises:
        StudyError: another process has the folder, a file is damaged, or the folder was made with
            another header.
    """
    path = out / "journal.jsonl"
    with (out / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until the file is closed or we die
        except BlockingIOError:
            raise StudyError(
                f"{out}: another process is preparing into this folder; wait for it or stop it"
            ) from None
        if not path.exists():
            try:
                yield Journal(path, header, layout, {}, 0)
            finally:
                if not path.exists():  # nothing was prepared: leave no folder
                    Path(lock.name).unlink()
                    with suppress(OSError):  # there are other files in it
                        out.rmdir()
            return
        raw = path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]  # an incomplete last line is a sample to repeat
        try:
            stated, *lines = [json.loads(line) for line in whole.splitlines()]
            if stated["format"] != header["format"]:
                raise StudyError(
                    f"{path}: has format {stated['format']}, this version of the code writes "
                    f"{header['format']}; prepare into another folder"
                )
            stated = _flat(stated)
            done = {
                line["id"]: (line["row"], line["sha256"])
                for line in lines
                if line["reason"] is None
            }
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StudyError(f"{path}: damaged; delete the folder {out} and start again") from None
        check_same_settings(path, stated, _flat(header), "this command")
        journal = Journal(path, header, layout, done, len(whole))
        rows = max((row + 1 for row, _ in done.values()), default=0)
        for m, file in journal.arrays.items():
            if not file.exists() or file.stat().st_size < npy_size(layout[m], rows):
                raise StudyError(
                    f"{file}: missing or truncated; delete the folder {out} and start again"
                )
        yield journal


def _allocate(arrays: dict[str, Path], layout: Layout, rows: int) -> None:
    """Allocate the disk space of all arrays, so that a full disk is an error at the start.

    Arrays that are there keep their rows and are never shortened. The headers, which state the
    number of rows, are written last: a file that is longer than its header says can be read.
    """
    old = {m: path.stat().st_size if path.exists() else None for m, path in arrays.items()}
    rows = max(rows, *(_rows(layout[m], held) for m, held in old.items() if held), 0)
    sizes = {m: npy_size(layout[m], rows) for m in arrays}
    folder = next(iter(arrays.values())).parent
    needed, free = sum(sizes.values()), shutil.disk_usage(folder).free
    reused = sum(path.stat().st_blocks * 512 for path in arrays.values() if path.exists())
    try:
        if needed > free + reused:
            raise OSError(errno.ENOSPC, "no space")
        for m, path in arrays.items():
            with path.open("rb+" if path.exists() else "wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, sizes[m])
                else:  # macOS has no such call: the comparison above is the only check
                    file.truncate(sizes[m])
    except OSError as error:
        for m, path in arrays.items():
            if (held := old[m]) is None:
                path.unlink(missing_ok=True)
            else:
                os.truncate(path, held)
        if error.errno != errno.ENOSPC:
            raise
        raise StudyError(
            f"{folder}: the arrays need {needed:,} bytes, {free + reused:,} are free; free some "
            f"space or choose another folder"
        ) from None
    for m, path in arrays.items():
        with path.open("rb+") as file:
            file.write(_npy_header(layout[m], rows))


def _npy_header(layout: tuple[tuple[int, ...], np.dtype], rows: int) -> bytes:
    """The header of a ``.npy`` file of ``rows`` rows."""
    shape, kind = layout
    about = {"descr": kind.str, "fortran_order": False, "shape": (rows, *shape)}
    np.lib.format.write_array_header_1_0(buffer := io.BytesIO(), about)
    return buffer.getvalue()


def npy_size(layout: tuple[tuple[int, ...], np.dtype], rows: int) -> int:
    """The bytes of a ``.npy`` file of ``rows`` rows."""
    shape, kind = layout
    return len(_npy_header(layout, rows)) + rows * int(np.prod(shape)) * kind.itemsize


def _rows(layout: tuple[tuple[int, ...], np.dtype], held: int) -> int:
    """The number of whole rows in a file of ``held`` bytes."""
    empty = npy_size(layout, 0)
    return (held - empty) // (npy_size(layout, 1) - empty)


def _flat(header: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in header.items() if k != "settings"}, **header["settings"]}
