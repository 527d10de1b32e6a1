"""Summaries of results in sentences: the answer, the findings on each data set, costs and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from umt_lib.evaluation.intervals import Interval, accuracy_interval
from umt_lib.study.experiments.comparisons import Family, difference, laziness
from umt_lib.study.experiments.provenance import has_folds
from umt_lib.study.experiments.results import DAMAGED, Result
from umt_lib.study.pipeline.collection import Shown, Study
from umt_lib.study.report.choices import (
    JOINT,
    JOINT_MLP,
    LONGER,
    LONGER_MLP,
    SIMPLE,
    UME,
    UMT,
    UMT_MLP,
)
from umt_lib.study.report.findings import FINDINGS, Page
from umt_lib.study.report.format import (
    MINUS,
    NOTHING,
    in_words,
    is_equivalent,
    literal,
    markdown,
    points,
)

FRONT = {  # (a, b): the comparison a minus b on the front page, as (start, a, b) in words
    (UME, JOINT): ("", "UME", "joint training"),
    (UMT, JOINT): ("", "UMT", "joint training"),
    (UMT, UME): ("", "UMT", "UME"),
    (UMT_MLP, JOINT_MLP): ("with MLP heads, ", "UMT", "joint training"),
    (JOINT_MLP, UME): ("", "joint training with an MLP head", "UME"),
}
OPENINGS = {  # the comparisons of the verdict
    (UME, JOINT): "with linear heads, UME is",
    (UMT, JOINT): "with linear heads, UMT is",
    (UMT_MLP, JOINT_MLP): "with MLP heads, UMT is",
}
STRATEGIES = (UME, *(name for name in SIMPLE if name not in (UME, LONGER, LONGER_MLP)))
NEAR = 0.01  # in accuracy
LAZY = (JOINT, JOINT_MLP, UMT, UMT_MLP)


def front(study: Study) -> Family:
    """The family of all comparisons of the front page, with keys (data set, a, b)."""
    gains: dict[tuple[str, str, str], Interval | None] = {}
    for dataset in study.datasets:
        found = study.results(dataset)
        gains |= {(dataset, a, b): difference(found.get(a), found.get(b)) for a, b in FRONT}
    return Family(gains)


def verdict(study: Study) -> str:
    """On which data sets UME and UMT are clearly better or worse than joint training."""
    family, parts, measured = front(study), [], []
    for (a, b), opening in OPENINGS.items():
        better = [d for d in study.datasets if family.is_better((d, a, b))]
        worse = [d for d in study.datasets if family.is_worse((d, a, b))]
        if any(family.get((d, a, b)) for d in study.datasets):
            measured.append(a)
        if better or worse:
            parts.append(
                f"{opening} clearly better on {_listed(better)}, clearly worse on {_listed(worse)}"
            )
    if not measured:
        return NOTHING
    if not parts:
        return (
            f"**No data set shows a clear difference between joint training with the same head and "
            f"{' or '.join(measured)}, after correction for the {len(family)} comparisons below.**"
        )
    return (
        f"**Compared with joint training: {'; '.join(parts)}. On the others that were measured "
        f"there is no clear difference.**"
    )


def holm_note(family: Family, of: str) -> str:
    """What *better* and *worse* mean for the comparisons ``of`` a table or a list."""
    return (
        f"*Better* and *worse*: the difference survives Holm's correction over the {len(family)} "
        f"comparisons of {of} (a 5% risk that any of them is a false claim); the intervals are not "
        f"corrected. *Equivalent*: the whole interval lies within \N{PLUS-MINUS SIGN}1 point. *No "
        f"clear difference*: neither."
    )


def _listed(names: list[str]) -> str:
    """The names as a list in words: "none", "a", "a and b", "a, b and c"."""
    *first, last = names or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def answer(study: Study) -> str:
    """The comparisons of the front page as a Markdown table, one row per data set."""
    family = front(study)
    measured = [pair for pair in FRONT if any(family.get((d, *pair)) for d in study.datasets)]
    if not measured:
        return NOTHING
    rows = [
        [dataset, *(_difference(family, (dataset, *pair)) for pair in measured)]
        for dataset in study.datasets
        if any(family.get((dataset, *pair)) for pair in measured)
    ]
    header = ["data set", *(f"{a} {MINUS} {b}" for a, b in measured)]
    note = (
        f"Bold: the difference survives Holm's correction over the {len(family)} differences of "
        f"this table (a 5% risk that any of them is a false claim). The intervals are not "
        f"corrected. *Equivalent*: the whole interval lies within \N{PLUS-MINUS SIGN}1 point."
    )
    parts = [markdown(header, rows), note]
    waiting = [d for d in study.datasets if not any(e.result for e in study.of(d))]
    parts += [f"Not run yet, ready to run: {', '.join(waiting)}."] if waiting else []
    return "\n\n".join(parts)


def _difference(family: Family, key: tuple[str, str, str]) -> str:
    """The cell of one difference: in bold if it is clear, with a word if it is equivalence."""
    gap = family.get(key)
    same = gap is not None and is_equivalent(gap)  # never of one seed: its interval is infinite
    return points(gap, family.is_clear(key)) + (", equivalent" if same else "")


def verdict_on(study: Study, dataset: str) -> str:
    """The accuracies of the main strategies on ``dataset`` and how they compare, in a sentence."""
    found = study.results(dataset)
    scores = [
        f"{label} {100 * accuracy_interval(found[label].accuracy).mean:.1f}%"
        for label in dict.fromkeys(label for pair in FRONT for label in pair)
        if label in found
    ]
    if not scores:
        stale = {entry.stale for entry in study.labelled(dataset).values()}
        if stale:
            return f"**Measured, but all results are stale** ({', '.join(sorted(stale))})."
        return "**Not measured yet.**"
    family, parts, unclear = front(study), [], False
    for pair, (start, a, b) in FRONT.items():
        key = (dataset, *pair)
        if gap := family.get(key):
            if family.is_clear(key) or is_equivalent(gap):
                words = in_words(a, b, gap, family.is_clear(key))
                parts.append(f"{start}{words} ({points(gap)})")
            else:
                unclear = True
    if unclear and not parts:
        parts = ["none of the differences between them is clear"]
    elif unclear:
        parts.append("the other differences between them are not clear")
    compared = "; ".join(parts) or "nothing to compare them with yet"
    return (
        f"**Test accuracy: {', '.join(scores)}. In points: {compared}.** {_highest(found)} "
        f"*Better* and *worse* are used only for differences that survive Holm's correction over "
        f"the {len(family)} of the front page; the findings below are corrected over those of "
        f"this page."
    )


def _highest(found: Mapping[str, Result]) -> str:
    """Which strategy has the highest mean, and which are less than :data:`NEAR` below it."""
    means = {
        label: accuracy_interval(found[label].accuracy).mean
        for label in STRATEGIES
        if label in found
    }
    if len(means) < len(STRATEGIES) / 2:
        return ""
    best = max(means, key=means.__getitem__)
    near = [label for label, mean in means.items() if label != best and means[best] - mean < NEAR]
    rest = f"; less than a point below it: {', '.join(near)}" if near else ""
    return f"Highest mean of {len(means)} strategies: {best}, {100 * means[best]:.1f}%{rest}."


def saw(study: Study, dataset: str) -> str:
    """The findings on ``dataset`` as two Markdown lists, those against the claim first."""
    page = Page(study, dataset)
    found = [sentence for finding in FINDINGS for sentence in finding(page)]
    parts = []
    for title, against in (
        ("Against a claim of the paper, or undecided", True),
        ("Other findings", False),
    ):
        if lines := [f"- {text}" for speaks_against, text in found if speaks_against == against]:
            parts.append("\n".join([f"**{title}**", "", *lines]))
    if parts and len(page.family):
        parts.append(holm_note(page.family, "these two lists"))
    return "\n\n".join(parts) or NOTHING


def chance(study: Study, dataset: str, groups: int) -> str:
    """The uncertainty due to the test samples, and whether intervals over seeds include it.

    Args:
        groups: number of groups (people, objects) in the test split; 0 if samples are independent.
    """
    joint = study.result(dataset, "joint")
    if joint is None:
        return ""
    p, n = accuracy_interval(joint.accuracy).mean, joint.measured.seeds[0].test.samples
    error = 100 * (p * (1 - p) / n) ** 0.5
    text = (
        f"At the accuracy of joint training, the binomial standard error of a test split with "
        f"{n:,} samples is {error:.1f} points."
    )
    if has_folds(dataset):
        return (
            f"{text} Every seed has test samples of its own, so the intervals over seeds include "
            f"it. They are approximate where the seeds are folds of one data set, because the "
            f"training splits of the folds overlap."
        )
    text += " The split was drawn once, so intervals over seeds do not include it."
    if groups:
        text += (
            f" The samples come from only {groups} groups and are not independent, so the true "
            f"uncertainty is larger."
        )
    return text


def hours(study: Study, dataset: str) -> str:
    """Estimated GPU hours of all experiments on a data set, and of those of the main comparison."""
    every = study.of(dataset)
    few = [e for e in every if e.method in ("unimodal", "ume", "joint", "umt")]
    total, enough = (sum(e.hours for e in entries) for entries in (every, few))
    return (
        f"All {len(every)} experiments, with five seeds and their sweeps, need an estimated "
        f"{total:,} hours on one GPU that is a few years old; uni-modal training, UME, joint "
        f"training and UMT with every head need {enough:,} of them."
    )


def stale(study: Study) -> str:
    """The number of stale results in the book, and the reasons."""
    shown = sum(1 for entry in study.shown if entry.result)
    lost = damaged(study.damaged)
    if not study.stale:
        current = f"All {shown} results that the book shows are current." if shown else NOTHING
        return f"{current} {lost}".strip()
    reasons = Counter(entry.stale for entry in study.stale)
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    listed = listed if len(reasons) > 1 else next(iter(reasons))
    return (
        f"**{len(study.stale)} of the {shown} results that the book shows are stale** ({listed}). "
        f"Tables and sources mark them, and no sentence, ranking or verdict uses them. "
        f"{lost}"
    ).strip()


def damaged(entries: Iterable[Shown]) -> str:
    """Which of these entries have a damaged results file; "" if none has."""
    names = [entry.name for entry in entries if entry.origin == DAMAGED]
    if not names:
        return ""
    listed = ", ".join(f"`{name}`" for name in names)
    return (
        f"**Left out, because the results file is damaged: {listed}.** Restore it from git, or "
        f"measure it again."
    )


def lazy(study: Study) -> str:
    """How many encoders are clearly lazy after joint training and after UMT."""
    gains: dict[tuple[str, str, str], Interval | None] = {}
    for dataset in study.datasets:
        found = study.results(dataset)
        for label in LAZY:
            for modality, reference in study.unimodal(dataset).items():
                if after := found.get(label):
                    gains[label, dataset, modality] = laziness(after, reference, modality)
    family, parts = Family(gains), []
    for label in LAZY:
        keys = [key for key in gains if key[0] == label and family.get(key)]
        if keys:
            worse = [f"{d} ({m})" for _, d, m in filter(family.is_worse, keys)]
            names = f": {', '.join(worse)}" if worse else ""
            share = f"{len(worse)} of {len(keys)} encoders are clearly lazy"
            parts.append(f"- **After {label}, {share}**{names}.")
    if not parts:
        return NOTHING
    return "\n".join([*parts, f"- {holm_note(family, 'this list')}"])


def time(study: Study) -> str:
    """The total time of the experiments whose results are shown."""
    shown = [e.result for e in study.entries if e.result]
    if not shown:
        return NOTHING
    minutes = sum(result.provenance.seconds for result in shown) / 60
    found = {literal(result.provenance.environment.get("device", "unknown")) for result in shown}
    devices = sorted(found)
    return (
        f"The {len(shown)} experiments that this book shows took {minutes:.0f} minutes in total "
        f"(with sweeps, probes and tests), on: {'; '.join(devices)}."
    )
