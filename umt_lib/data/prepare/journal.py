"""The unfinished folder of a preparation: preallocated arrays, and a journal of finished rows."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from umt_lib.data.prepare.prepared import check_same_settings
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically

SAVE_EVERY = 1.0  # seconds between two writes of rows and journal to disk
Layout = dict[str, tuple[tuple[int, ...], np.dtype]]  # {modality: (shape of one row, type)}


class Journal:
    """A log of finished rows, appended to every second, always after the rows are on disk.

    Args:
        file: the journal, open for writing at its end.
        arrays: {modality: its array file}.
    """

    def __init__(self, file: BinaryIO, arrays: dict[str, Path]):
        self.file, self.arrays = file, [path.open("rb+") for path in arrays.values()]
        self.lines: list[str] = []
        self.written = time.monotonic()

    def add(self, row: int, sha256: str | None, reason: str | None) -> None:
        """Log that a row is written, with its sha256, or the reason why it cannot be."""
        self.lines.append(json.dumps({"row": row, "sha256": sha256, "reason": reason}) + "\n")
        if time.monotonic() - self.written > SAVE_EVERY:
            self.write()

    def write(self) -> None:
        """Force the arrays to disk, then append the new lines to the journal."""
        for file in self.arrays:
            os.fsync(file.fileno())
        self.file.write("".join(self.lines).encode())
        self.file.flush()
        os.fsync(self.file.fileno())
        self.lines.clear()
        self.written = time.monotonic()

    def close(self) -> None:
        """Write what is left, and close the arrays."""
        self.write()
        for file in self.arrays:
            file.close()


@contextmanager
def open_journal(
    out: Path, header: dict[str, Any], arrays: dict[str, Path], layout: Layout, rows: int
) -> Iterator[tuple[Journal, dict[int, str]]]:
    """Open the journal of the folder ``out``, locked, and {row: sha256} of the finished rows.

    In a new folder the arrays are allocated and the journal is created.

    Args:
        header: what the arrays depend on; the same as when the folder was created.
        arrays: {modality: its array file}.
        layout: {modality: (shape of a row, type)}.
        rows: number of rows.

    Raises:
        StudyError: another process has the folder, there is no disk space, a file is damaged, or
            the folder was made with another header.
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
            _allocate(arrays, layout, rows)
            write_atomically(path, (json.dumps(header) + "\n").encode())
        raw = path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]  # an incomplete last line is a row to repeat
        try:
            stated, *lines = [json.loads(line) for line in whole.splitlines()]
            stated = _flat(stated)
            done = {line["row"]: line["sha256"] for line in lines if line["reason"] is None}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StudyError(f"{path}: damaged; delete the folder {out} and start again") from None
        check_same_settings(path, stated, _flat(header), "this command")
        for m, file in arrays.items():
            if not file.exists() or file.stat().st_size != _size(layout[m], rows):
                raise StudyError(
                    f"{file}: missing or truncated; delete the folder {out} and start again"
                )
        with path.open("rb+") as file:
            file.truncate(len(whole))
            file.seek(0, os.SEEK_END)
            yield Journal(file, arrays), done


def _allocate(arrays: dict[str, Path], layout: Layout, rows: int) -> None:
    """Allocate the disk space of all arrays, so that a full disk is an error at the start."""
    sizes = {m: _size(layout[m], rows) for m in arrays}
    folder = next(iter(arrays.values())).parent
    needed, free = sum(sizes.values()), shutil.disk_usage(folder).free
    reused = sum(path.stat().st_blocks * 512 for path in arrays.values() if path.exists())
    try:
        if needed > free + reused:
            raise OSError(errno.ENOSPC, "no space")
        for m, path in arrays.items():
            with path.open("wb") as file:
                file.write(_npy_header(layout[m], rows))
                file.flush()
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, sizes[m])
                else:  # macOS has no such call: the comparison above is the only check
                    file.truncate(sizes[m])
    except OSError as error:
        for path in arrays.values():
            path.unlink(missing_ok=True)
        if error.errno != errno.ENOSPC:
            raise
        raise StudyError(
            f"{folder}: the arrays need {needed:,} bytes, {free + reused:,} are free; free some "
            f"space or choose another folder"
        ) from None


def _npy_header(layout: tuple[tuple[int, ...], np.dtype], rows: int) -> bytes:
    """The header of a ``.npy`` file of ``rows`` rows."""
    shape, kind = layout
    about = {"descr": kind.str, "fortran_order": False, "shape": (rows, *shape)}
    np.lib.format.write_array_header_1_0(buffer := io.BytesIO(), about)
    return buffer.getvalue()


def _size(layout: tuple[tuple[int, ...], np.dtype], rows: int) -> int:
    shape, kind = layout
    return len(_npy_header(layout, rows)) + rows * int(np.prod(shape)) * kind.itemsize


def _flat(header: dict[str, Any]) -> dict[str, Any]:
    return {**{k: v for k, v in header.items() if k != "settings"}, **header["settings"]}
