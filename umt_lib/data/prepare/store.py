"""Prepare a data set: read every sample in worker processes and write one array file per modality.

A folder holds ``<modality>.npy``, one row per sample whose raw file was found, allocated before the
first sample is read; ``journal.jsonl``, one line per finished sample, written after its rows are on
disk; and ``manifest.json``, written last. Readers need the manifest, so an unfinished folder cannot
be read. The same command resumes by id: it reads the samples that are not in the journal, those
that were missing or broken, and those that were added to the list since, whose rows are appended.
The sha256 of a row is computed while it is in memory, so the digest of the folder needs no second
pass over the files.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Container, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from umt_lib.data.prepare.journal import Layout, npy_size, open_journal
from umt_lib.data.prepare.prepared import FORMAT, digest, manifest_digest
from umt_lib.errors import StudyError
from umt_lib.files import write_atomically

SPLITS = ("train", "validation", "test")
MISSING = "file is missing"
SUBMITTED = 2  # samples submitted per worker at a time
Read = Callable[[Path, dict], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Sample:
    """One listed sample.

    Attributes:
        id: its name, unique in the data set.
        label: index of its class.
        split: "train", "validation" or "test"; "" for a file that is no sample and is left out.
        group: samples of a group stay in one split; "" for a sample without a group.
        source: its raw file or folder.
        left_out: the reason if it is not to be used; "" otherwise.
        missing: the reason if it cannot be read because a file beside its source is missing; ""
            otherwise. A sample that was read before stays.
        within: its name inside its source if that is a file of several samples; ``read`` gets the
            path ``source/within``.
    """

    id: str
    label: int
    split: str
    group: str
    source: Path
    left_out: str = ""
    missing: str = ""
    within: str = ""


class SampleError(Exception):
    """The reason why one sample cannot be used, e.g. "no audio track"; raised by ``read``."""


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
    min_share: float = 0.5,
    report: Callable[[str], object] = lambda text: None,
) -> dict[str, Any]:
    """Read every sample and write the folder ``out``, or resume if it was interrupted.

    Args:
        dataset: its name.
        samples: in the order of the manifest; ids are unique, a group is in one split.
        classes: class names by label.
        modalities: {name: (shape of one sample, type)}.
        read: (source, settings) -> {modality: array}; a module-level function, since worker
            processes call it. It raises :class:`SampleError` for a sample that cannot be used; any
            other exception but StudyError is taken as a reason too.
        settings: all that ``read`` and the list depend on; they must be representable as JSON.
        out: the folder to write.
        workers: number of processes.
        official: the publishers' counts, {"train": ..., "test": ..., "classes": ...}.
        min_share: it is an error if a smaller share of the listed samples is usable. If too few
            raw files are found, no array is allocated.
        report: called with a sentence on what was found, before disk space is taken.

    Returns:
        The manifest.

    Raises:
        StudyError: an id is repeated, a group is in two splits, the settings give empty samples,
            the folder was made with other settings, the disk is full, a worker died, or too few
            samples are usable.
    """
    _check_list(dataset, samples, classes)
    layout = {m: (tuple(shape), np.dtype(kind)) for m, (shape, kind) in modalities.items()}
    for m, (shape, _) in layout.items():
        if min(shape) < 1:
            raise StudyError(
                f"data set {dataset!r}: settings {settings} give empty samples of {m!r} with the "
                f"shape {shape}; give larger settings"
            )
    header = {
        "format": FORMAT,
        "dataset": dataset,
        "settings": settings,
        "modalities": {m: [list(shape), kind.str] for m, (shape, kind) in layout.items()},
    }
    header = json.loads(json.dumps(header))  # as it is read back: tuples are lists
    try:
        out.mkdir(parents=True, exist_ok=True)
        with open_journal(out, header, layout) as journal:
            done = journal.done
            broken = {s.id: reason for s in samples if (reason := _skip_reason(s, done))}
            todo = [s for s in samples if s.id not in broken and s.id not in done]
            _check_usable(dataset, samples, broken, min_share)
            report(_found(dataset, samples, broken, todo, layout, out))
            rows = journal.begin(len(todo))
            bar = tqdm(
                total=len(samples) - len(broken),
                initial=len(samples) - len(broken) - len(todo),
                desc=f"prepare {dataset}",
                unit="sample",
                disable=None,
            )
            work = list(zip(todo, rows, strict=True))
            results = _prepare_all(work, read, settings, journal.arrays, workers)
            with bar, closing(journal), closing(results):
                for sample, row, sha256, reason in results:
                    journal.add(sample.id, row, sha256, reason)
                    if reason is not None:
                        broken[sample.id] = reason
                    bar.set_postfix_str(f"{len(broken)} not usable", refresh=False)
                    bar.update()
            manifest = _manifest(header, samples, list(classes), done, broken, official)
            _check_usable(dataset, samples, broken, min_share)
            write_atomically(out / "manifest.json", (json.dumps(manifest) + "\n").encode())
    except OSError as error:
        raise StudyError(
            f"{error.filename or out}: cannot be written ({error.strerror or error}); free some "
            f"space or fix the permissions, then run the same command again"
        ) from None
    return manifest


def _skip_reason(sample: Sample, done: Container[str]) -> str:
    """Why a sample is not read; "" if it is or was."""
    if sample.left_out or sample.id in done:
        return sample.left_out
    return sample.missing or ("" if sample.source.exists() else MISSING)


def _found(
    dataset: str,
    samples: Sequence[Sample],
    broken: dict[str, str],
    todo: Sequence[Sample],
    layout: Layout,
    out: Path,
) -> str:
    """What was found, what is missing, and how much disk space the samples to be read take."""
    listed = [s for s in samples if s.split]
    usable = [s for s in listed if s.id not in broken]
    names = f"{dataset}: {len(usable):,} of {len(listed):,} listed samples found"
    names += f" (the first is {usable[0].source})"
    if lost := [s for s in listed if s.id in broken]:
        names += f", {len(lost):,} not ({lost[0].source}: {broken[lost[0].id]})"
    taken = sum(npy_size(rows, len(todo)) for rows in layout.values())
    return f"{names}; {len(todo):,} are to be read, their arrays take {taken:,} bytes in {out}"


def _check_list(dataset: str, samples: Sequence[Sample], classes: Sequence[str]) -> None:
    """Refuse an empty list, repeated ids, groups in two splits, and unknown splits or labels."""
    if not any(s.split for s in samples):
        odd = "".join(
            f", but {len(samples)} files, e.g. {s.source}: {s.left_out}" for s in samples[:1]
        )
        raise StudyError(f"data set {dataset!r}: the list names no sample{odd}; check it")
    for what, key in (("sample", "id"), ("group", "group")):
        seen: dict[str, str] = {}
        for sample in (s for s in samples if not s.left_out):
            name = getattr(sample, key)
            if name and seen.setdefault(name, sample.split) != sample.split:
                raise StudyError(
                    f"data set {dataset!r}: {what} {name!r} is in {seen[name]} and in "
                    f"{sample.split}; keep it in one split"
                )
    name, times = Counter(s.id for s in samples).most_common(1)[0]
    if times > 1:
        raise StudyError(f"data set {dataset!r}: {name!r} is listed {times} times; list it once")
    for s in samples:
        if s.left_out and not s.split:
            continue
        if s.split not in SPLITS or not 0 <= s.label < len(classes):
            raise StudyError(
                f"data set {dataset!r}: {s.id!r} has split {s.split!r} and label {s.label}; splits "
                f"are {', '.join(SPLITS)}, labels 0 to {len(classes) - 1}"
            )


def _prepare_all(
    work: Sequence[tuple[Sample, int]],
    read: Read,
    settings: dict[str, Any],
    arrays: dict[str, Path],
    workers: int,
) -> Generator[tuple[Sample, int, str | None, str | None], None, None]:
    """Read samples into rows; yield (sample, row, sha256, reason), one of the last two None."""
    if not work:
        return
    # forkserver: as fast as fork, but no threads or locks of this process are copied
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, read.__module__])
    pool = ProcessPoolExecutor(min(workers, len(work)), context, _start_worker)
    remaining, running = iter(work), dict[Future, tuple[Sample, int]]()
    try:
        while True:
            for sample, row in remaining:
                source = sample.source / sample.within
                future = pool.submit(_prepare_sample, source, row, read, settings, arrays)
                running[future] = sample, row
                if len(running) == SUBMITTED * workers:
                    break
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                sha256, reason = future.result()
                yield *running.pop(future), sha256, reason
    except BrokenProcessPool:
        first = sorted(running.values(), key=lambda item: item[1])[:4]
        names = ", ".join(sample.id for sample, _ in first)
        raise StudyError(
            f"a process died while it read one of {names} ... (killed, out of memory, or a file "
            f"that crashes the decoder); run the same command again to resume, with fewer "
            f"--workers if memory was short; move a file away if it happens again"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Initialise a worker: it ignores Ctrl-C and ends when the parent process ends or is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker

    def exit_with_parent() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=exit_with_parent, daemon=True).start()


def _prepare_sample(
    source: Path, row: int, read: Read, settings: dict[str, Any], arrays: dict[str, Path]
) -> tuple[str | None, str | None]:
    """In a worker: read one sample and write its rows; (sha256, None) or (None, reason)."""
    try:
        found = read(source, settings)
    except StudyError:  # concerns all samples
        raise
    except SampleError as reason:
        return None, str(reason)
    except Exception as error:  # one bad sample must not stop the others
        return None, f"{type(error).__name__}: {error}"
    sha256 = hashlib.sha256()
    for m, path in arrays.items():
        stored, value = np.load(path, mmap_mode="r"), np.ascontiguousarray(found[m])
        if (value.shape, value.dtype) != (stored.shape[1:], stored.dtype):
            raise StudyError(
                f"{source}: {m!r} was read as {value.shape} {value.dtype}, declared as "
                f"{stored.shape[1:]} {stored.dtype}; fix the data set's read function"
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
    done: dict[str, tuple[int, str]],
    broken: dict[str, str],
    official: dict[str, int],
) -> dict[str, Any]:
    """The content of ``manifest.json``, with a digest of itself, and so of every row."""
    usable = [s for s in samples if s.id not in broken]
    listed, good = Counter(s.split for s in samples), Counter(s.split for s in usable)
    about = [[s.id, s.label, s.split, s.group, s.left_out] for s in samples]
    manifest = {
        **header,
        "sample list": digest(about, classes),
        "classes": classes,
        "listed": sum(listed[name] for name in SPLITS),
        "counts": {
            "official": official,
            "listed": {name: listed[name] for name in SPLITS},
            "good": {name: good[name] for name in SPLITS},
        },
        "samples": [
            {
                "id": s.id,
                "label": s.label,
                "split": s.split,
                "group": s.group,
                "row": done[s.id][0],
                "sha256": done[s.id][1],
            }
            for s in usable
        ],
        "quarantine": [{"id": s.id, "reason": broken[s.id]} for s in samples if s.id in broken],
    }
    return {**manifest, "digest": manifest_digest(manifest)}


def _check_usable(
    dataset: str, samples: Sequence[Sample], broken: dict[str, str], min_share: float
) -> None:
    """Refuse a data set if none or less than ``min_share`` of its samples is usable."""
    listed = [s for s in samples if s.split]
    lost = [s for s in listed if s.id in broken]
    good = len(listed) - len(lost)
    if good and good >= min_share * len(listed):
        return
    times = Counter(broken[s.id] for s in lost).most_common(3)
    reasons = ", ".join(f"{n} x {r}" for r, n in times)
    first = ", ".join(str(s.source) for s in lost[:3])
    raise StudyError(
        f"data set {dataset!r}: {good} of {len(listed)} listed samples are usable, fewer than the "
        f"threshold of {min_share:.0%} ({reasons}; first: {first}); check --root, or lower "
        f"--min-share if there are no more samples"
    )
