"""What the page of a data set shows, one function for each cell of ``notebooks/dataset.py``."""

from __future__ import annotations

from collections.abc import Sequence

from umt_lib.data import PAIR_KINDS, Splits, load
from umt_lib.study.experiments.results import Result
from umt_lib.study.pipeline.collection import Entry
from umt_lib.study.report import figures, pictures, shown, summaries, tables
from umt_lib.study.report.opened import study
from umt_lib.study.report.shown import Text, text


def measured(dataset: str) -> list[Entry]:
    """The experiments on a data set that have a result."""
    return [entry for entry in study().of(dataset) if entry.result]


def verdict(dataset: str) -> Text:
    """The answer of the data set in a sentence; nothing if no experiment is meant to run on it."""
    if dataset in PAIR_KINDS and not study().of(dataset):
        return Text()
    return text(summaries.verdict_on(study(), dataset), summaries.damaged(study().of(dataset)))


def facts(dataset: str) -> Text:
    """Sizes of the splits, or a sentence if the data is not on this machine."""
    if splits := _splits(dataset):
        return Text(tables.facts(splits))
    if not study().of(dataset):
        return Text()
    lacks = "The machine that built this book lacks the data, so there are no sizes"
    if measured(dataset) and pictures.shipped(dataset):
        return Text(f"{lacks}; the picture was drawn where the data was.")
    return Text(f"{lacks} and there is no picture.")


def picture(dataset: str) -> None:
    """Training samples: drawn if the data is on this machine, otherwise the shipped picture."""
    shows = pictures.shows(dataset)
    alt = f"Data of {dataset}: {shows}."
    caption = f"The function `picture` of the data set draws {shows}."
    if splits := _splits(dataset):
        shown.figure(pictures.draw(dataset, splits), alt, caption)
    elif measured(dataset) and (file := pictures.shipped(dataset)):
        shown.picture(file, alt, caption)


def findings(dataset: str) -> Text:
    """What the results show, what speaks against the claim first."""
    return Text(summaries.saw(study(), dataset) if measured(dataset) else "")


def accuracy(dataset: str) -> Text:
    """The table of accuracies."""
    return shown.accuracies(study(), study().of(dataset)) if measured(dataset) else Text()


def chance(dataset: str) -> Text:
    """The uncertainty due to the test samples."""
    if not measured(dataset) or (splits := _splits(dataset)) is None:
        return Text()
    groups = 0 if splits.test.groups is None else len(set(splits.test.groups.tolist()))
    return Text(summaries.chance(study(), dataset, groups))


def sweeps(dataset: str) -> Text:
    """The validation accuracy of every swept value."""
    chosen = [entry for entry in measured(dataset) if entry.result.measured.chosen]
    return shown.table(tables.sweeps(study(), dataset), study(), chosen) if chosen else Text()


def late_gains(dataset: str) -> Text:
    """Whether the uni-modal baselines converged, as a table."""
    if not (entries := _baselines(dataset)):
        return Text()
    return shown.table(tables.convergence(study(), dataset), study(), entries)


def convergence(dataset: str) -> None:
    """Whether the uni-modal baselines converged, as curves."""
    if entries := _baselines(dataset):
        shown.figure(
            figures.convergence(_by_modality(entries)),
            f"Accuracy of the uni-modal baselines of {dataset} over epochs.",
            "Accuracy of the uni-modal baselines over epochs: mean and range of the seeds.",
            shown.made_from(study(), entries),
        )


def saturation(dataset: str) -> None:
    """Training accuracy and probes over epochs of joint training, if it took probes."""
    joint = study().find(dataset, "joint")
    if joint and joint.result and joint.result.measured.seeds[0].curves.get("probe"):
        shown.figure(
            figures.saturation(joint.result, _by_modality(_baselines(dataset))),
            f"Joint training on {dataset}: train accuracy and the probe of each encoder over "
            f"epochs.",
            "Joint training (linear head): training accuracy of the whole model, and the probe of "
            "each encoder beside that of the uni-modal encoder. Probes on validation, with fixed "
            "regularisation.",
            shown.made_from(study(), [joint, *_baselines(dataset)]),
        )


def costs(dataset: str) -> Text:
    """The cost of one seed of every experiment."""
    if not measured(dataset):
        return Text()
    return shown.table(tables.costs(study(), dataset), study(), study().of(dataset))


def hours(dataset: str) -> Text:
    """Estimated hours of all experiments."""
    return Text(summaries.hours(study(), dataset))


def experiments(dataset: str) -> Text:
    """Estimated hours of each experiment."""
    return Text(tables.hours(study(), dataset))


def _baselines(dataset: str) -> list[Entry]:
    return [entry for entry in study().of(dataset, "unimodal") if entry.result]


def _by_modality(baselines: Sequence[Entry]) -> dict[str, Result]:
    return {e.params["method"]["modality"]: e.result for e in baselines if e.result}


def _splits(dataset: str) -> Splits | None:
    """The splits of the first seed, or None if the data is not on this machine.

    Those of generated data without experiments are made with the default options.
    """
    if not (entries := study().of(dataset)):
        return load(dataset) if dataset in PAIR_KINDS else None
    return pictures.first_splits(entries[0].params)
