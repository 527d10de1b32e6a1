"""The figure of cost against accuracy, one dot for each method."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import seaborn as sns

from umt_lib.study.pipeline.collection import STALE
from umt_lib.study.report.choices import JOINT
from umt_lib.style import WIDTH, Figure, styled

NAMED = 3  # of the best and of the worst methods, beside the simple choices


def averages(rows: pd.DataFrame, datasets: Sequence[str]) -> pd.DataFrame:
    """Cost and gain of every method over these data sets: the same for all methods.

    Args:
        rows: of :func:`.results_page.summary`; stale results do not count.

    Returns:
        By method: ``cost``, the median of its encoder passes divided by those of joint training
        with a linear head; ``gain`` over that in points, the mean over data sets; ``family``. A
        method that was not measured on all of them is left out.
    """
    found = rows[rows["data set"].isin(datasets) & (rows["run"] != STALE)].copy()
    joint = found[found["method"] == JOINT].set_index("data set")["passes, thousands"]
    found["cost"] = found["passes, thousands"] / found["data set"].map(joint).astype(float)
    found["gain"] = found[f"minus {JOINT}"]
    found.loc[found["method"] == JOINT, "gain"] = 0.0
    found = found.dropna(subset=["cost", "gain"])
    found = found[found["family"] != "uni-modal"]
    grouped = found.groupby("method", sort=False)
    table = grouped.agg(
        cost=("cost", "median"), gain=("gain", "mean"), family=("family", "first"),
        datasets=("gain", "size"),
    )  # fmt: skip
    return table[table["datasets"] == len(datasets)]


@styled
def cost_against_gain(table: pd.DataFrame, simple: tuple[str, ...]) -> Figure:
    """One dot for each method of :func:`averages`; the best, the worst and the simple are named."""
    figure = Figure(figsize=(WIDTH, 4.6))
    ax = figure.subplots()
    sns.scatterplot(
        table.reset_index(), x="cost", y="gain", hue="family", style="family",
        palette="colorblind", s=55, ax=ax,
    )  # fmt: skip
    ordered = table["gain"].sort_values().index
    named = {*ordered[:NAMED], *ordered[-NAMED:], *(name for name in simple if name in table.index)}
    free: dict[float, float] = {}  # the lowest place for a name, by cost
    for name, row in table.loc[[n for n in ordered if n in named]].iterrows():
        cost, gain = round(row["cost"], 1), row["gain"]
        height = max(gain, free.get(cost, gain))
        free[cost] = height + 0.03 * (table["gain"].max() - table["gain"].min())
        ax.annotate(
            str(name), (row["cost"], gain), (row["cost"] + 0.03, height), fontsize=7, va="center"
        )
    ax.axhline(0, color="#555555", linewidth=0.8)
    ax.set(
        xlabel="encoder passes with teachers, relative to joint training",
        ylabel="gain over joint training, points",
    )
    handles, labels = ax.get_legend_handles_labels()
    ax.get_legend().remove()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure
