"""What the page of one experiment shows, one function for each cell of ``notebooks/result.py``."""

from __future__ import annotations

import yaml

from umt_lib import paths
from umt_lib.errors import StudyError, nearest
from umt_lib.evaluation.intervals import accuracy_interval
from umt_lib.study.experiments import results
from umt_lib.study.pipeline.collection import Entry
from umt_lib.study.report import figures, shown
from umt_lib.study.report.format import literal, markdown, percent, points, setting
from umt_lib.study.report.opened import study
from umt_lib.study.report.shown import Text, text
from umt_lib.study.report.tables import REFERENCES, gains


def entry(name: str) -> Entry:
    """The experiment of this name, or a trial of this machine (``umt run --set``).

    Raises:
        StudyError: there is neither.
    """
    if name in study().named:
        return study().named[name]
    trial = paths.runs() / "trials" / f"{name}.json"
    if not trial.exists():
        raise StudyError(f"there is no experiment {name!r}{nearest(name, study().named)}")
    result = results.load(trial)
    return Entry(name, result.params, result, None)


def title(one: Entry) -> str:
    """The heading of an experiment: ``watch, UMT (linear): 83.2% [81.1, 85.3]``."""
    mean, *interval = percent(accuracy_interval(one.result.accuracy)).partition(" ")
    return f"{one.dataset}, {one.label}: {mean}%{''.join(interval)}"


def about(name: str) -> Text:
    """Which data set and method this is, where the result was measured and whether it is stale."""
    one = entry(name)
    made = one.result.provenance
    where, commit = (literal(made.environment.get(key, "")) for key in ("device", "commit"))
    links = (
        f"Data set [{one.dataset}](/datasets/{one.dataset}.md), method "
        f"[{one.label}](/methods/{one.method}.md); [all results](/results.md)."
    )
    stale = f" **This result is stale: {one.stale}.**" if one.stale and not one.local else ""
    return text(
        links,
        f"Test accuracy: mean of {len(one.result.measured.seeds)} seeds, 95% t-interval. Measured "
        f"on {where or 'unknown'}{f', with commit {commit[:7]}' if commit else ''}, in "
        f"{made.seconds / 60:.1f} minutes with sweeps, probes and tests; one seed trains for "
        f"{made.cost.seconds:.1f} s.{stale}",
        shown.made_from(study(), [one]),
    )


def compared(name: str) -> Text:
    """The differences to joint training and UME."""
    one = entry(name)
    family = gains(study(), [one])
    rows = [[f"minus {r}", points(gain)] for r in REFERENCES if (gain := family.get((name, r)))]
    return Text(markdown(["difference", "points, paired over seeds"], rows) if rows else "")


def seeds(name: str) -> Text:
    """Accuracy and probes of every seed, in percent."""
    records = entry(name).result.measured.seeds
    rows = [
        [
            str(record.seed),
            str(record.epoch),
            *(f"{100 * s.accuracy:.1f}" for s in (record.validation, record.test)),
            *(f"{100 * accuracy:.1f}" for accuracy in record.probes.values()),
        ]
        for record in records
    ]
    probes = (f"probe of {modality}" for modality in records[0].probes)
    return Text(markdown(["seed", "chosen epoch", "validation", "test", *probes], rows))


def chosen(name: str) -> Text:
    """What validation chose."""
    found = entry(name).result.measured
    if not found.chosen:
        return Text()
    values = ", ".join(setting(field, value) for field, value in found.chosen.items())
    return Text(f"Chosen on validation: {values}.")


def curves(name: str) -> None:
    """Loss, accuracy and probes over epochs."""
    one = entry(name)
    if found := one.result.measured.seeds[0].curves:
        what = "Loss, accuracy and probes" if found.get("probe") else "Loss and accuracy"
        shown.figure(
            figures.history(one.result),
            f"{what} of {name} over the epochs of training.",
            "Mean over seeds; the band is their range.",
        )


def params(name: str) -> Text:
    """The parameters that the result was made with."""
    one = entry(name)
    made = yaml.safe_dump(one.result.params, sort_keys=False, default_flow_style=None)
    changed = "The params file has changed since then." if one.result.params != one.params else ""
    return text(f"```yaml\n{made.strip()}\n```", changed)
