"""Figures of the maps: the best strategy of every cell, regret, and what UMT's variants keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.lines import Line2D

from umt_lib.evaluation.intervals import Interval
from umt_lib.study.analyses.regime_map import summary
from umt_lib.study.analyses.regime_map.summary import FAMILIES, ROOM, Maps
from umt_lib.study.report.choices import JOINT_MLP, UMT_MLP
from umt_lib.study.report.figures import draw_interval
from umt_lib.style import COLORS, VARIANTS, WIDTH, Figure, styled

FAMILY_COLORS = {
    "UME": COLORS["ume"],
    "joint": COLORS["joint"],
    "UMT": COLORS["umt"],
    "uni-modal init": COLORS["unimodal-init"],
    "frozen": COLORS["frozen"],
}
PLACES = {  # the two dials that are the axes of a map; x first
    "synthetic": ("uni", "paired"),
    "digit-pairs": ("uni", "paired"),
    "lazy": ("uni", "asymmetry"),
    "quiet-pairs": ("quiet", "paired"),
    "shared-nuisance": ("quiet", "rho"),
    "two-way-tables": ("quiet", "gamma"),
    "graded-pairs": ("quiet", "leak"),
}
DIALS = {  # as figures name them
    "uni": "uni-modal strength",
    "paired": "paired strength",
    "asymmetry": "asymmetry",
    "quiet": "scale of uni-modal features in b",
    "rho": "size of the nuisance",
    "gamma": "size of interactions",
    "leak": "label shown by each half",
}
FULL = 0.03  # a lead of this accuracy or more is drawn in full size
KEPT = {  # trainings in the figure of what encoders keep
    "uni-modal": COLORS["unimodal"],
    JOINT_MLP: COLORS["joint"],
    UMT_MLP: COLORS["umt"],
    **{f"{name} (MLP)": VARIANTS[name.removeprefix("UMT, ")] for name in ROOM},
}
STATISTICS = {"mean": "o", "p95": "s", "worst": "D"}  # of regret, with their markers


@styled
def best_strategies(found: Mapping[str, Any]) -> Figure:
    """The family of the best strategy in every cell of a world, by colour.

    A panel for each sample size (columns) and number of updates (rows). Cells that differ only in
    other dials lie side by side. The size of a dot is the lead over all other families.
    """
    cells = summary.dials([found]).join(summary.best([found])[["family", "lead"]])
    x, y = PLACES[found["world"]]
    if "updates" not in cells:
        cells["updates"] = 0
    columns, rows = (np.unique(cells[name]) for name in ("n_train", "updates"))
    xs, ys = (np.unique(cells[name]) for name in (x, y))
    width = min(WIDTH + 1.2, max(5.0, 1.2 + 1.9 * len(columns)))
    figure = Figure(figsize=(width, 0.9 + 1.7 * len(rows)))
    axes = figure.subplots(len(rows), len(columns), squeeze=False, sharex=True, sharey=True)
    for (row, column), ax in np.ndenumerate(axes):
        here = cells[(cells["n_train"] == columns[column]) & (cells["updates"] == rows[row])]
        for (a, b), group in here.groupby([x, y], sort=True):
            place = np.searchsorted(xs, a), np.searchsorted(ys, b)
            for (dx, dy), (_, cell) in zip(_around(len(group)), group.iterrows(), strict=True):
                area = 12 + 60 * min(1.0, cell["lead"] / FULL)
                color = FAMILY_COLORS[cell["family"]]
                ax.scatter(place[0] + dx, place[1] + dy, s=area, color=color, linewidths=0)
        ax.set_xticks(range(len(xs)), [f"{v:g}" for v in xs])
        ax.set_yticks(range(len(ys)), [f"{v:g}" for v in ys])
        ax.set(xlim=(-0.5, len(xs) - 0.5), ylim=(-0.5, len(ys) - 0.5))
        ax.grid(visible=False)
        updates = f", {rows[row]:g} updates" if rows[row] else ""
        ax.set_title(f"n = {columns[column]:g}{updates}", fontsize=9)
    axes[-1, (len(columns) - 1) // 2].set_xlabel(DIALS[x])
    axes[len(rows) // 2, 0].set_ylabel(DIALS[y])
    marks = [
        Line2D([], [], marker="o", linestyle="", color=color, label=name)
        for name, color in FAMILY_COLORS.items()
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks), fontsize=8)
    return figure


def _around(number: int) -> np.ndarray:
    """Places around (0, 0) for this number of dots, (number, 2), in rows."""
    side = int(np.ceil(np.sqrt(number)))
    places = [
        ((i % side + 0.5) / side - 0.5, (i // side + 0.5) / side - 0.5) for i in range(number)
    ]
    return 0.8 * np.array(places)


@styled
def regret(table: pd.DataFrame) -> Figure:
    """The regret of always using one strategy, in points: mean, 95th percentile and worst cell.

    Args:
        table: of ``summary.regret``; its rows of all maps together are drawn.
    """
    here = table[table["world"] == "all"].sort_values("worst")
    figure = Figure(figsize=(WIDTH + 0.6, 0.9 + 0.27 * len(here)))
    ax = figure.subplots()
    for place, (_, row) in enumerate(here.iterrows()):
        color = FAMILY_COLORS[summary.family(row["strategy"])]
        low, high = (100 * row[f"mean {end}"] for end in ("low", "high"))
        ax.plot([low, high], [place, place], color=color, linewidth=3, alpha=0.5)
        ax.plot([100 * row["mean"], 100 * row["worst"]], [place] * 2, color=color, linewidth=0.7)
        for name, marker in STATISTICS.items():
            face = color if name == "worst" else "white"
            ax.plot(100 * row[name], place, marker, color=color, markerfacecolor=face, markersize=5)
    ax.set_yticks(range(len(here)), here["strategy"], fontsize=8)
    ax.set(ylim=(len(here) - 0.4, -0.6), xlim=(0, None), xlabel="regret, points of accuracy")
    ax.grid(axis="y", visible=False)
    labels = {"mean": "mean", "p95": "95th percentile", "worst": "worst setting"}
    marks = [
        Line2D([], [], marker=m, linestyle="", color="black", label=labels[name],
               markerfacecolor="black" if name == "worst" else "white")
        for name, m in STATISTICS.items()
    ]  # fmt: skip
    figure.legend(handles=marks, loc="outside lower center", ncols=3, fontsize=8)
    return figure


@styled
def room(table: pd.DataFrame) -> Figure:
    """Difference to joint training where UMT gains and where it costs, for UMT and its variants.

    Args:
        table: of ``summary.room``.
    """
    figure = Figure(figsize=(WIDTH + 0.6, 2.9))
    axes = figure.subplots(1, 2, sharey=True)
    names = list(dict.fromkeys(table["strategy"]))
    for ax, (part, title) in zip(
        axes, (("gain", "UMT is better"), ("cost", "UMT is worse")), strict=True
    ):
        for _, row in table[table["part"] == part].iterrows():
            mlp = row["head"] == "MLP"
            interval = Interval(row["difference"], row["low"], row["high"], int(row["cells"]))
            color = COLORS["joint" if row["strategy"].startswith("joint") else "umt"]
            place = names.index(row["strategy"]) + (0.15 if mlp else -0.15)
            draw_interval(ax, place, interval, color, filled=not mlp)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set(title=f"settings in which {title}", xlabel="minus joint training, points")
        ax.grid(axis="y", visible=False)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    return figure


@styled
def kept(found: Mapping[str, Any]) -> Figure:
    """The share of each kind of feature that encoders keep, in every cell of one world.

    Args:
        found: a value of ``encoded.map_features``.
    """
    table = summary.kept([found]).groupby(["cell", "training", "modality", "feature"])["share"]
    shares = table.mean()
    cells = [cell["dials"] for cell in found["cells"]]
    varied = [dial for dial in cells[0] if len({cell[dial] for cell in cells}) > 1]
    groups = [(m, kind) for m in ("a", "b") for kind in ("uni-modal", "paired")]
    trainings = [name for name in KEPT if name in shares.index.unique("training")]
    rows = -(-len(cells) // 2)
    figure = Figure(figsize=(WIDTH + 1.2, 0.9 + 2.1 * rows))
    axes = figure.subplots(rows, 2, squeeze=False, sharex=True, sharey=True)
    for number, ax in enumerate(axes.flat[: len(cells)]):
        for place, name in enumerate(trainings):
            beside = (place - (len(trainings) - 1) / 2) * 0.12
            values = [shares[number, name, m, kind] for m, kind in groups]
            ax.plot(np.arange(4) + beside, values, "o", color=KEPT[name], label=name, markersize=5)
        title = ", ".join(f"{DIALS.get(dial, dial)} {cells[number][dial]:g}" for dial in varied)
        ax.set_title(title, fontsize=8)
        ax.set_xticks(range(4), [f"{kind}\n{m}" for m, kind in groups])
        ax.set_ylim(min(0, shares.min()), 1)
    axes[0, 0].set_ylabel("share kept (R2)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8)
    return figure


def interactive(maps: Maps) -> go.Figure:
    """The best strategy of every cell of one world, chosen from a menu, with numbers on hover."""
    figure = go.Figure()
    buttons: list[dict[str, Any]] = []
    for found in maps:
        x, y = PLACES[found["world"]]
        cells, every = summary.dials([found]), summary.means([found])
        best = summary.best([found])
        for name in FAMILIES:
            here = best.index[best["family"] == name]
            beside = np.random.default_rng(0).uniform(-0.3, 0.3, (2, len(here)))
            places = [_places(cells[dial], cells.loc[here, dial]) for dial in (x, y)]
            figure.add_scatter(
                x=places[0] + beside[0], y=places[1] + beside[1], mode="markers", name=name,
                text=[_hover(cells.loc[place], every.loc[place]) for place in here],
                marker={"color": FAMILY_COLORS[name], "size": 11}, visible=found is maps[0],
                hovertemplate="%{text}<extra></extra>",
            )  # fmt: skip
        axes = {f"{side}axis": _axis(cells[dial], dial) for side, dial in (("x", x), ("y", y))}
        shown = [found is other for other in maps for _ in FAMILIES]
        arguments = [{"visible": shown}, axes]
        buttons.append({"label": found["world"], "method": "update", "args": arguments})
    menu = {"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.06, "yanchor": "bottom"}
    figure.update_layout(
        updatemenus=[menu], margin={"l": 55, "r": 10, "t": 90, "b": 50}, height=480,
        paper_bgcolor="white", font={"family": "sans-serif", "size": 12}, **buttons[0]["args"][1],
    )  # fmt: skip
    return figure


def _axis(values: pd.Series, dial: str) -> dict[str, Any]:
    ticks = np.unique(values)
    labels = {"tickvals": list(range(len(ticks))), "ticktext": [f"{v:g}" for v in ticks]}
    return {"title": {"text": DIALS[dial]}, **labels}


def _places(all_values: pd.Series, values: pd.Series) -> np.ndarray:
    return np.searchsorted(np.unique(all_values), values).astype(float)


def _hover(cell: pd.Series, accuracies: pd.Series) -> str:
    """The dials of a cell, and the accuracies of all strategies, the best first."""
    lines = [", ".join(f"{name} {value:g}" for name, value in cell.dropna().items())]
    ranked = accuracies.sort_values(ascending=False)
    return "<br>".join(lines + [f"{100 * value:.1f}% {name}" for name, value in ranked.items()])
