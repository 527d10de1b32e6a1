"""A finished folder of prepared arrays, opened for reading; ``store`` makes one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from umt_lib import paths
from umt_lib.data.memory_mapped import MemoryMapped
from umt_lib.data.splits import Augment, Split, Splits, Transform
from umt_lib.errors import StudyError

FORMAT = 1


class Prepared:
    """A finished folder: made by :meth:`open`.

    Attributes:
        classes: their names, by label. settings: what it was made with. manifest: all of it.
        source: digest of every row, of the list and of the settings.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]):
        self.folder, self.manifest = folder, manifest
        self.classes: tuple[str, ...] = tuple(manifest["classes"])
        self.settings: dict[str, Any] = manifest["settings"]
        self.source: str = manifest["digest"]

    @classmethod
    def open(cls, folder: Path | str, settings: dict[str, Any] | None = None) -> Prepared:
        """The folder, if it is whole and made with the ``settings`` given; the others may differ.

        A relative folder is looked for under ``$UMT_DATA`` first, then where the command runs.

        Raises:
            StudyError: no manifest, a damaged one, an array that does not fit, other settings.
        """
        folder = paths.prepared_dir(folder)
        path = folder / "manifest.json"
        try:
            manifest = json.loads(path.read_bytes())
            stated = manifest.pop("digest")
            header = {k: manifest[k] for k in ("format", "dataset", "settings", "modalities")}
        except FileNotFoundError:
            raise StudyError(
                f"{path}: no such file, so the data set is not prepared, or not to the end; run "
                f"umt prepare, which goes on where it stopped"
            ) from None
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as fault:
            raise StudyError(f"{path}: damaged ({fault!r}); prepare the data set again") from None
        if header["format"] != FORMAT:
            raise StudyError(
                f"{path}: format {header['format']}, this code reads {FORMAT}; prepare again"
            )
        if digest(manifest) != stated:
            raise StudyError(f"{path}: changed since it was written; prepare the data set again")
        theirs = {k: header["settings"].get(k) for k in settings or {}}
        same(path, theirs, settings or {}, "what is asked for")
        for m, (shape, kind) in header["modalities"].items():
            array = MemoryMapped(folder / f"{m}.npy").array
            wanted = ((manifest["listed"], *shape), np.dtype(kind))
            if (array.shape, array.dtype) != wanted:
                raise StudyError(
                    f"{folder / f'{m}.npy'}: holds {array.shape} {array.dtype}, the manifest says "
                    f"{wanted[0]} {wanted[1]}; prepare the data set again"
                )
        return cls(folder, {**manifest, "digest": stated})

    def split(self, name: str) -> tuple[dict[str, MemoryMapped], torch.Tensor, np.ndarray | None]:
        """Modalities {m: (n, ...)}, labels (n,) int64; groups (n,), None where each is one sample.

        That no group is in two splits was checked when they were listed.
        """
        samples = self.manifest["samples"]
        grouped = len({s["group"] or s["id"] for s in samples}) < len(samples)
        rows = [s for s in samples if s["split"] == name]
        index = np.array([s["row"] for s in rows], dtype=np.int64)
        return (
            {m: MemoryMapped(self.folder / f"{m}.npy", index) for m in self.manifest["modalities"]},
            torch.tensor([s["label"] for s in rows], dtype=torch.long),
            np.array([s["group"] or s["id"] for s in rows]) if grouped else None,
        )


def splits(dataset: str, folder: str, transform: Transform, augment: Augment) -> Splits:
    """The three splits of a prepared folder, their rows still in its files.

    Raises:
        StudyError: the folder is not prepared, not whole, or of another data set.
    """
    prepared = Prepared.open(folder)
    if (found := prepared.manifest["dataset"]) != dataset:
        raise StudyError(f"{prepared.folder}: holds {found!r}, not {dataset!r}; name its folder")
    train, validation, test = (
        Split(*prepared.split(name), transform=transform)
        for name in ("train", "validation", "test")
    )
    return Splits(train, validation, test, prepared.classes, prepared.source, augment)


def same(path: Path, old: dict[str, Any], new: dict[str, Any], who: str) -> None:
    """Refuse a file made with other settings, naming each difference."""
    differ = [
        f"{k}: {old.get(k)!r} -> {new.get(k)!r}"
        for k in sorted({*old, *new})
        if old.get(k) != new.get(k)
    ]
    if differ:
        raise StudyError(
            f"{path}: made with other settings than {who} ({'; '.join(differ)}); give the old "
            f"settings or prepare into another folder"
        )


def digest(*parts: Any) -> str:
    """Hex SHA-256 of JSON-able ``parts``."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
