"""The figure of the answer: the gain of each strategy over joint training, on every data set."""

from __future__ import annotations

from itertools import combinations

import pandas as pd
from matplotlib.lines import Line2D

from umt_lib.evaluation.intervals import Interval
from umt_lib.study.experiments.comparisons import Family
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report.choices import AUXILIARY, BY_HEAD, FROZEN, HEADS, JOINT, UME, UMT
from umt_lib.study.report.figures import draw_interval
from umt_lib.study.report.format import NOTHING, points
from umt_lib.study.report.pooling import gain, mean_of
from umt_lib.style import COLORS, OTHER, WIDTH, Figure, styled

EVERY = "all real data sets"
STRATEGIES = {  # name: (its label with each head, colour)
    "UME": (BY_HEAD[UME], COLORS["ume"]),
    "UMT": (BY_HEAD[UMT], COLORS["umt"]),
    "head on frozen encoders": (BY_HEAD[FROZEN], COLORS["frozen"]),
    "joint + uni-modal CE": (BY_HEAD[AUXILIARY], COLORS["joint-auxiliary"]),
}
ALT = (
    "Difference in test accuracy to joint training with the same head, on every data set and over "
    "all of them, for UME, UMT, a head on frozen encoders, and joint training with uni-modal "
    "cross-entropy."
)
LIMIT = 12  # points; what is longer is cut
CAPTION = (
    "Test accuracy of each strategy minus that of joint training with the same head, paired over "
    "seeds, with 95% t-intervals; UME has no such head and is the same in both panels. At the top: "
    "the mean over all real data sets, those made of the same recordings, models or images counted "
    f"as one; its interval is over data sets. The axis ends at {LIMIT} points, where longer "
    "intervals are cut. *Real*: the labels are not generated; av-digits pairs a recording and an "
    "image of the same digit."
)


def labels() -> set[str]:
    """The rows that the figure is made from."""
    compared = [labels for labels, _ in STRATEGIES.values()]
    return {label for labels in (*compared, BY_HEAD[JOINT]) for label in labels.values()}


def table(study: Study) -> pd.DataFrame:
    """The gain of each strategy over joint training with the same head, by data set.

    Columns: ``head``, ``strategy``, ``dataset`` (:data:`EVERY` for their mean, in which a data set
    counts once), and the difference in accuracy, 0..1: ``mean``, ``low``, ``high``, ``n``, the
    number of seeds, or of data sets. Stale results are left out.
    """
    rows = []
    for head in HEADS:
        for strategy, (labels, _) in STRATEGIES.items():
            found = gain(study, labels[head], BY_HEAD[JOINT][head])
            if found is not None:
                for dataset, interval in {EVERY: found.over, **found.by_dataset}.items():
                    rows.append((head, strategy, dataset, interval))
    columns = ["head", "strategy", "dataset", *Interval._fields]
    return pd.DataFrame([(*row[:3], *row[3]) for row in rows], columns=columns)


def sentence(study: Study) -> str:
    """Which strategies are better than joint training on average, and whether they differ.

    Both families are corrected by Holm's method: one comparison with joint training per strategy
    and head, and one per pair of strategies with linear heads.
    """
    over_joint = Family(
        {
            (s, h): mean_of(gain(study, label, BY_HEAD[JOINT][h]))
            for s, (labels, _) in STRATEGIES.items()
            for h, label in labels.items()
        }
    )
    if not any(found.n > 1 for found in over_joint.gains.values()):
        return NOTHING
    parts = []
    for head in HEADS:
        shown = [
            f"{s} {points(found, over_joint.is_clear((s, head)))}"
            for s in STRATEGIES
            if (found := over_joint.get((s, head)))
        ]
        parts.append(f"with {head} heads, {', '.join(shown)}")
    pairs = list(combinations(STRATEGIES, 2))
    linear = {s: labels["linear"] for s, (labels, _) in STRATEGIES.items()}
    between = Family({(a, b): mean_of(gain(study, linear[a], linear[b])) for a, b in pairs})
    differ = [
        f"{a} is {'better' if between.is_better((a, b)) else 'worse'} than {b} "
        f"({points(between.get((a, b)))})"
        for a, b in pairs
        if between.is_clear((a, b))
    ]
    return (
        f"Gain over joint training in points, mean over the real data sets: "
        f"{'; '.join(parts)}. Bold differences survive Holm's correction over the "
        f"{len(over_joint)} of this sentence. Between these strategies, with linear heads, "
        f"{'; '.join(differ) or 'there is no clear difference'} (Holm over {len(between)})."
    )


@styled
def figure(study: Study) -> Figure:
    """Dots with intervals: a panel per head, a row per data set, a colour per strategy."""
    found = table(study)
    datasets = [EVERY, *(d for d in study.datasets if d in set(found["dataset"]))]
    drawn = Figure(figsize=(1.25 * WIDTH, 0.5 * len(datasets) + 1.1))
    axes = drawn.subplots(1, len(HEADS), sharey=True, sharex=True)
    for ax, head in zip(axes, HEADS, strict=True):
        for i, (strategy, (_, color)) in enumerate(STRATEGIES.items()):
            rows = found[(found["head"] == head) & (found["strategy"] == strategy)]
            for row in rows.itertuples():
                place = datasets.index(row.dataset) + 0.18 * (i - (len(STRATEGIES) - 1) / 2)
                interval = Interval(row.mean, row.low, row.high, row.n)
                draw_interval(ax, place, interval, color)
        ax.axvline(0, color=OTHER, linewidth=0.8)
        ax.axhline(0.5, color=OTHER, linewidth=0.8, linestyle=":")
        ax.set(title=f"{head} heads", xlabel="gain over joint training (points)")
        ax.set(xlim=(-LIMIT, LIMIT), ylim=(len(datasets) - 0.5, -0.5))
        ax.set_yticks(range(len(datasets)), datasets)
        ax.grid(axis="y", visible=False)
    marks = [
        Line2D([], [], marker="o", color=color, label=name)
        for name, (_, color) in STRATEGIES.items()
    ]
    drawn.legend(handles=marks, loc="outside lower center", ncols=2)
    return drawn
