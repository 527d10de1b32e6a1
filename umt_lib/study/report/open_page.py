"""What ``notebooks/open_result.py`` shows of one experiment beside its page in the book."""

from __future__ import annotations

import re
from functools import cache

from umt_lib import paths
from umt_lib.errors import StudyError
from umt_lib.evaluation.intervals import accuracy_interval
from umt_lib.study.experiments.predictions import Predicted, predicted
from umt_lib.study.pipeline.collection import Entry
from umt_lib.study.report import experiment_page, open_figures, shown
from umt_lib.study.report.experiment_page import entry
from umt_lib.study.report.format import markdown, percent
from umt_lib.study.report.opened import study
from umt_lib.study.report.shown import Text

LISTED = 40  # experiments; more are counted


def listed(words: str = "") -> Text:
    """The results whose names contain all these words, and whether their models are here."""
    trials = sorted((paths.runs() / "trials").glob("*.json"))
    found = [e for e in study().entries if e.result] + [entry(file.stem) for file in trials]
    found = [e for e in found if all(word in e.name for word in words.split())]
    rows = [
        [f"`{e.name}`", percent(accuracy_interval(e.result.accuracy)), e.origin, _models(e)]
        for e in found[:LISTED]
    ]
    more = len(found) - len(rows)
    return shown.table(
        markdown(["name", "test accuracy, %", "result", "models here"], rows),
        after=f"{more} more; use more words to find them." if more else "",
    )


def heading(name: str) -> Text:
    """Data set, method and accuracy; where the result comes from."""
    one = entry(name)
    if one.result is None:
        raise StudyError(f"{name}: {one.origin}; run umt run params/{name}.yaml first")
    about = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", experiment_page.about(name))  # pages of the book
    return Text(f"## {experiment_page.title(one)}\n\n{about}")


def compared(name: str) -> Text:
    """The differences to joint training and UME; nothing of a trial, which may have other data."""
    return experiment_page.compared(name) if name in study().named else Text()


def confusion(name: str, seed: int) -> Text | None:
    """Which classes the model of this seed confuses, or why that cannot be shown."""
    found = _predictions(name, seed)
    if isinstance(found, Text):
        return found
    result = entry(name).result
    (record,) = [r for r in result.measured.seeds if r.seed == seed]
    number = len(found.test)
    shown.figure(
        open_figures.confusion(found),
        f"Confusion of the {len(found.classes)} classes by the model of seed {seed}.",
        f"Seed {seed}: {found.accuracy:.1%} of {number} test samples are correct (in the results "
        f"file: {record.test.accuracy:.1%}). Numbers are percent of the samples of a class.",
    )
    return None


def most_wrong(name: str, seed: int, number: int = 6) -> Text | None:
    """The wrong predictions of this seed with the lowest probability of the correct class."""
    found = _predictions(name, seed)
    if isinstance(found, Text):
        return Text()  # the reason has been given above
    positions = found.most_wrong(number)
    if not len(positions):
        return Text("Every test sample is classified correctly.")
    wrong = round((1 - found.accuracy) * len(found.test))
    shown.figure(
        open_figures.samples(found, positions),
        "Misclassified test samples, each with its class and the class that was predicted.",
        f"{len(positions)} of {wrong} wrong predictions: those with the lowest probability of the "
        f"correct class. Percentages are probabilities of the model.",
    )
    return None


def _predictions(name: str, seed: int) -> Predicted | Text:
    """The predictions, or a paragraph that states why there are none."""
    one = entry(name)
    if not one.local:
        return Text(
            f"**Confusion and samples cannot be shown:** this result is {one.origin}, and its "
            f"models are not on this machine. `umt run params/{name}.yaml` trains them."
        )
    try:
        return _loaded(name, seed)
    except StudyError as error:
        return Text(f"**Confusion and samples cannot be shown:** {error}.")


@cache
def _loaded(name: str, seed: int) -> Predicted:
    result = entry(name).local
    assert result is not None
    return predicted(result, seed)


def _models(one: Entry) -> str:
    """How many of the seeds have a finished model on this machine."""
    if not one.local:
        return "no"
    folder, seeds = paths.checkpoints_dir() / one.name, one.params["seeds"]
    there = sum((folder / f"seed{seed}.safetensors").exists() for seed in seeds)
    return f"{there} of {len(seeds)} seeds"
