"""The store: one array file per modality, filled by many processes, never read half-written.

A folder holds ``<modality>.npy``, one row per listed sample, its disk space taken before the first
clip is decoded; ``journal.jsonl``, one line per finished clip, written once its rows are on disk;
and ``manifest.json``, written last and whole. A reader asks for the manifest, so an unfinished
folder cannot be read. The same command goes on after the last line of the journal, and tries the
clips again that were missing or broken. Every row's sha256 is taken while it is in memory, so the
digest of the whole costs no second reading of the files.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from umt_lib.data.prepare.journal import Layout, opened
from umt_lib.data.prepare.prepared import FORMAT, Prepared, digest
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically

SPLITS = ("train", "validation", "test")
MISSING = "file is missing"
AHEAD = 2  # clips handed to a worker at a time
Read = Callable[[Path, dict], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Sample:
    """One listed clip.

    Attributes:
        group: "" where there is none.
        source: its raw file or folder.
        left_out: why it is not to be read; "" where it is.
    """

    id: str
    label: int
    split: str
    group: str
    source: Path
    left_out: str = ""


class Broken(Exception):
    """Raised by a ``read`` function: why this one clip cannot be used, e.g. "no audio track"."""


def prepare(
    dataset: str,
    samples: Sequence[Sample],
    classes: Sequence[str],
    modalities: Layout,
    read: Read,
    settings: dict[str, Any],
    out: Path,
    workers: int,
    official: dict[str, int],
    progress: bool = True,
    min_share: float = 0.5,
) -> dict[str, Any]:
    """Read every sample once and write the folder ``out``; or go on with it.

    Args:
        samples: in the order of the rows; ids are unique, a group lies in one split.
        modalities: {name: (shape of one sample, type)}.
        read: (source, settings) -> {modality: array}; a function of a module, since other
            processes call it. Raises :class:`Broken`; any other exception is a reason too.
        settings: everything ``read`` and the list depend on, JSON-able.
        official: counts the publishers give, {"train": ..., "test": ..., "classes": ...}.
        min_share: fewer good samples than this share of the listed ones is an error.

    Returns:
        The manifest.

    Raises:
        StudyError: doubled ids, a group in two splits, settings that leave nothing of a sample, a
            folder made with other settings, no room on the disk, a dead worker, too few good
            samples.
    """
    _refuse(dataset, samples, classes)
    layout = {m: (tuple(shape), np.dtype(kind)) for m, (shape, kind) in modalities.items()}
    for m, (shape, _) in layout.items():
        if min(shape) < 1:
            raise StudyError(
                f"data set {dataset!r}: settings {settings} make samples of {m!r} with the shape "
                f"{shape}, which holds nothing; give larger ones"
            )
    header = {
        "format": FORMAT,
        "dataset": dataset,
        "settings": settings,
        "classes": len(classes),
        "samples": len(samples),
        "sample list": digest(
            [[s.id, s.label, s.split, s.group, s.left_out] for s in samples], list(classes)
        ),
        "modalities": {m: [list(shape), kind.str] for m, (shape, kind) in layout.items()},
    }
    header = json.loads(json.dumps(header))  # as it is read back: tuples are lists
    arrays = {m: out / f"{m}.npy" for m in layout}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with opened(out, header, arrays, layout, len(samples)) as (journal, done):
            waiting = [i for i in range(len(samples)) if i not in done]
            broken = {i: reason for i in waiting if (reason := _unread(samples[i]))}
            todo = [i for i in waiting if i not in broken]
            bar = tqdm(
                total=len(done) + len(todo),
                initial=len(done),
                desc=f"prepare {dataset}",
                unit="clip",
                disable=not progress,
            )
            results = _results(samples, todo, read, settings, arrays, workers)
            with bar, closing(journal), closing(results):
                for i, sha256, reason in results:
                    journal.add(i, sha256, reason)
                    if sha256 is not None:
                        done[i] = sha256
                    if reason is not None:
                        broken[i] = reason
                    bar.set_postfix_str(f"{len(broken)} not usable", refresh=False)
                    bar.update()
            manifest = _manifest(header, samples, list(classes), done, broken, official)
            _enough(dataset, samples, broken, min_share, out)
            write_atomically(out / "manifest.json", (json.dumps(manifest) + "\n").encode())
    except OSError as error:
        raise StudyError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}); free some "
            f"space or mend the permissions, then run the same command again"
        ) from None
    return manifest


def _unread(sample: Sample) -> str:
    return sample.left_out or ("" if sample.source.exists() else MISSING)


def _refuse(dataset: str, samples: Sequence[Sample], classes: Sequence[str]) -> None:
    """Refuse a list that would train to a wrong number."""
    if not samples:
        raise StudyError(f"data set {dataset!r}: the list names no sample; check the list file")
    for what, key in (("sample", "id"), ("group", "group")):
        seen: dict[str, str] = {}
        for sample in (s for s in samples if not s.left_out):
            name = getattr(sample, key)
            if name and seen.setdefault(name, sample.split) != sample.split:
                raise StudyError(
                    f"data set {dataset!r}: {what} {name!r} is in {seen[name]} and in "
                    f"{sample.split}; keep it in one of them"
                )
    name, times = Counter(s.id for s in samples).most_common(1)[0]
    if times > 1:
        raise StudyError(f"data set {dataset!r}: {name!r} is listed {times} times; list it once")
    for s in samples:
        if s.split not in SPLITS or not 0 <= s.label < len(classes):
            raise StudyError(
                f"data set {dataset!r}: {s.id!r} has split {s.split!r} and label {s.label}; splits "
                f"are {', '.join(SPLITS)}, labels 0 to {len(classes) - 1}"
            )


def _results(
    samples: Sequence[Sample],
    todo: list[int],
    read: Read,
    settings: dict[str, Any],
    arrays: dict[str, Path],
    workers: int,
) -> Generator[tuple[int, str | None, str | None], None, None]:
    """(row, sha256 or None, reason or None) of every clip of ``todo``, as they are finished."""
    if not todo:
        return
    # a fork server: quick as fork, and no thread or lock of this process is copied
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, read.__module__])
    pool = ProcessPoolExecutor(min(workers, len(todo)), context, _begin)
    waiting, running = iter(todo), dict[Future, int]()
    try:
        while True:
            for i in waiting:
                future = pool.submit(_work, samples[i].source, i, read, settings, arrays)
                running[future] = i
                if len(running) == AHEAD * workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                sha256, reason = future.result()
                yield running.pop(future), sha256, reason
    except BrokenProcessPool:
        names = ", ".join(samples[i].id for i in sorted(running.values())[:4])
        raise StudyError(
            f"a process died while it read one of {names} ... (killed, out of memory, or a clip "
            f"that crashes the decoder); run the same command again, it goes on from here, with "
            f"fewer --workers if memory was short; move a clip away that does it twice"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _begin() -> None:
    """In a worker: Ctrl-C is the parent's to answer, and its end, however sudden, is ours too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker

    def follow() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _work(
    source: Path, row: int, read: Read, settings: dict[str, Any], arrays: dict[str, Path]
) -> tuple[str | None, str | None]:
    """In a worker: read one clip, write its rows; (sha256, None), or (None, the reason why not)."""
    try:
        found = read(source, settings)
    except StudyError:  # not this clip's fault
        raise
    except Broken as reason:
        return None, str(reason)
    except Exception as error:  # one clip in 200,000 must not stop the rest
        return None, f"{type(error).__name__}: {error}"
    sha256 = hashlib.sha256()
    for m, path in arrays.items():
        stored, value = np.load(path, mmap_mode="r"), np.ascontiguousarray(found[m])
        if (value.shape, value.dtype) != (stored.shape[1:], stored.dtype):
            raise StudyError(
                f"{source}: {m!r} was read as {value.shape} {value.dtype}, declared as "
                f"{stored.shape[1:]} {stored.dtype}; mend the data set's read function"
            )
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            return None, f"NaN or infinity in {m!r}"
        sha256.update(value.data)
        with path.open("rb+", buffering=0) as file:
            file.seek(stored.offset + row * value.nbytes)
            left = value.data.cast("B")
            while left:
                left = left[file.write(left) :]
    return sha256.hexdigest(), None


def _manifest(
    header: dict[str, Any],
    samples: Sequence[Sample],
    classes: list[str],
    done: dict[int, str],
    broken: dict[int, str],
    official: dict[str, int],
) -> dict[str, Any]:
    """All that is known of the folder; with a digest of itself, and so of every row."""
    listed, good = Counter(s.split for s in samples), Counter(samples[i].split for i in done)
    manifest = {
        **{k: header[k] for k in ("format", "dataset", "settings", "modalities", "sample list")},
        "classes": classes,
        "listed": len(samples),
        "counts": {
            "official": official,
            "listed": {name: listed[name] for name in SPLITS},
            "good": {name: good[name] for name in SPLITS},
        },
        "samples": [
            {
                "id": samples[i].id,
                "label": samples[i].label,
                "split": samples[i].split,
                "group": samples[i].group,
                "row": i,
                "sha256": done[i],
            }
            for i in sorted(done)
        ],
        "quarantine": [{"id": samples[i].id, "reason": broken[i]} for i in sorted(broken)],
    }
    return {**manifest, "digest": digest(manifest)}


def _enough(
    dataset: str, samples: Sequence[Sample], broken: dict[int, str], min_share: float, out: Path
) -> None:
    """Refuse a data set of which most is missing or broken."""
    good = len(samples) - len(broken)
    if good >= min_share * len(samples):
        return
    reasons = ", ".join(f"{n} x {r}" for r, n in Counter(broken.values()).most_common(3))
    first = ", ".join(str(samples[i].source) for i in sorted(broken)[:3])
    raise StudyError(
        f"data set {dataset!r}: {good} of {len(samples)} listed samples are usable, fewer than the "
        f"threshold of {min_share:.0%} ({reasons}; first: {first}); check --root, or lower "
        f"--min-share if that is all there is"
    )


__all__ = ["Broken", "Layout", "Prepared", "Read", "Sample", "prepare"]
