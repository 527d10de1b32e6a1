"""Is an experiment's data on this machine? Asked without loading it, by whatever runs many."""

from __future__ import annotations

import os
from pathlib import Path

import yaml


def prepared(file: Path) -> bool:
    """Whether the folder that a params file's data set is prepared into, if any, is finished.

    A broken params file counts as ready: its run says what is wrong with it.
    """
    try:
        folder = yaml.safe_load(file.read_text(encoding="utf-8"))["dataset"]["folder"]
        places = [Path(os.environ.get("UMT_DATA", ".")) / folder, Path(folder)]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return True
    return any((place / "manifest.json").exists() for place in places)


def downloaded(file: Path) -> bool:
    """Whether nothing has to be downloaded before a params file's data set can be loaded."""
    from umt_lib.data import av_digits
    from umt_lib.data.downloads import here

    dataset = yaml.safe_load(file.read_text(encoding="utf-8"))["dataset"]["name"]
    return dataset != "av-digits" or here(av_digits.ARCHIVE) is not None
