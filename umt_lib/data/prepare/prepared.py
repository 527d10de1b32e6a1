"""Read a finished folder of prepared arrays; :mod:`.store` writes it."""

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

FORMAT = 2


class Prepared:
    """A finished folder of prepared arrays; :meth:`open` makes one.

    Attributes:
        folder: its path.
        manifest: the content of ``manifest.json``.
        classes: class names by label.
        settings: the settings it was made with.
        source: digest of all rows, of the list of samples and of the settings.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]):
        self.folder, self.manifest = folder, manifest
        self.classes: tuple[str, ...] = tuple(manifest["classes"])
        self.settings: dict[str, Any] = manifest["settings"]
        self.source: str = manifest["digest"]

    @classmethod
    def open(
        cls,
        folder: Path | str,
        dataset: str | None = None,
        settings: dict[str, Any] | None = None,
    ) -> Prepared:
        """Open a folder and check its manifest and the shapes of its arrays.

        Args:
            folder: a relative path is looked for in ``$UMT_DATA``, then in the current folder.
            dataset: the data set that it must hold; None for any.
            settings: settings that it must have been made with; others are not checked.

        Raises:
            StudyError: the manifest is missing or damaged, an array has another shape or type than
                the manifest says, or the data set or settings differ.
        """
        folder = paths.prepared_dir(folder)
        path = folder / "manifest.json"
        try:
            manifest = json.loads(path.read_bytes())
            stated = manifest.pop("digest")
            header = {k: manifest[k] for k in ("format", "dataset", "settings", "modalities")}
        except FileNotFoundError:
            raise StudyError(
                f"{path.absolute()}: no such file, so the data set is not prepared or only in "
                f"part; run umt prepare with --out {folder.absolute()}, which also resumes an "
                f"interrupted preparation, or set UMT_DATA to the folder that holds the prepared "
                f"one ({paths.data_variable()})"
            ) from None
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as fault:
            raise StudyError(f"{path}: damaged ({fault!r}); prepare the data set again") from None
        if header["format"] != FORMAT:
            raise StudyError(
                f"{path}: format {header['format']}, this code reads {FORMAT}; prepare the "
                f"data set again"
            )
        if manifest_digest(manifest) != stated:
            raise StudyError(f"{path}: changed since it was written; prepare the data set again")
        if dataset not in (None, header["dataset"]):
            raise StudyError(
                f"{folder}: holds {header['dataset']!r}, not {dataset!r}; name its folder"
            )
        found = {k: header["settings"].get(k) for k in settings or {}}
        check_same_settings(path, found, settings or {}, "requested")
        rows = max((s["row"] + 1 for s in manifest["samples"]), default=0)
        for m, (shape, kind) in header["modalities"].items():
            array = MemoryMapped(folder / f"{m}.npy").array  # longer while samples are added
            found, wanted = (*array.shape[1:], array.dtype), (*shape, np.dtype(kind))
            if len(array) < rows or found != wanted:
                raise StudyError(
                    f"{folder / f'{m}.npy'}: holds {array.shape} {array.dtype}, the manifest says "
                    f"{(rows, *shape)} {kind}; prepare the data set again"
                )
        return cls(folder, {**manifest, "digest": stated})

    def split(self, name: str) -> tuple[dict[str, MemoryMapped], torch.Tensor, np.ndarray | None]:
        """One split: {modality: (n, ...)}, labels (n,) int64, and groups (n,).

        Groups are None if every sample is a group of its own. That no group is in two splits was
        checked in the preparation.
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


def load_splits(dataset: str, folder: str, transform: Transform, augment: Augment) -> Splits:
    """Load the three splits of a prepared folder as memory-mapped arrays.

    Raises:
        StudyError: the folder is not prepared, is incomplete, or holds another data set.
    """
    prepared = Prepared.open(folder, dataset)
    train, validation, test = (
        Split(*prepared.split(name), transform=transform)
        for name in ("train", "validation", "test")
    )
    return Splits(train, validation, test, prepared.classes, prepared.source, augment)


def check_same_settings(path: Path, old: dict[str, Any], new: dict[str, Any], by: str) -> None:
    """Refuse a file that was made with other settings.

    Args:
        old: settings in the file.
        new: settings that are needed.
        by: what needs them, for the error message.

    Raises:
        StudyError: a setting differs; all differences are named.
    """
    differ = [
        f"{k}: {old.get(k)!r} -> {new.get(k)!r}"
        for k in sorted({*old, *new})
        if old.get(k) != new.get(k)
    ]
    if differ:
        raise StudyError(
            f"{path}: made with other settings than {by} ({'; '.join(differ)}); give the old "
            f"settings or prepare into another folder"
        )


def manifest_digest(manifest: dict[str, Any]) -> str:
    """The digest of a manifest, which does not depend on the order in which rows were written."""
    samples = [{k: v for k, v in s.items() if k != "row"} for s in manifest["samples"]]
    return digest({**manifest, "samples": samples})


def digest(*parts: Any) -> str:
    """The sha256 of ``parts`` as canonical JSON."""
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
