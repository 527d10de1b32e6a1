"""Figures of the maps: the best strategies, and differences between two strategies."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch
from plotly.subplots import make_subplots

from umt_lib.evaluation.intervals import t_interval
from umt_lib.study.analyses.regime_map.summary import FAMILIES, Map, unbeaten
from umt_lib.study.report.format import points
from umt_lib.study.report.regime_map_text import clear_cells, set_name
from umt_lib.style import COLORS, WIDTH, Figure, styled

FULL = 0.10  # a lead of this accuracy or more has the full colour
RANGE = 12  # points at the ends of the colour scale of differences
SET_COLORS = {
    ("UME",): COLORS["ume"],
    ("joint",): COLORS["joint"],
    ("UMT",): COLORS["umt"],
    ("joint", "UMT"): "#E69F00",
    ("UME", "UMT"): "#56B4E9",
    ("UME", "joint"): "#CC79A7",
    ("UME", "joint", "UMT"): "#9a9a9a",
}
COMPARISONS = (  # first minus second, in the order of the menu of the interactive figure
    ("UMT", "UME"),
    ("joint (MLP)", "UME"),
    ("UMT (MLP)", "joint (MLP)"),
    ("UMT (linear)", "joint (linear)"),
    ("UMT (linear)", "UME"),
    ("frozen (linear)", "UME"),
    ("frozen (MLP)", "UME"),
    ("joint (MLP)", "frozen (MLP)"),
)


@styled
def who_wins(maps: Sequence[Map]) -> Figure:
    """The strategies that are not clearly worse than the best one, in every cell.

    Each set of strategies has a colour, paler for a small lead over the others; grey is for no
    clear difference between all of them. A column per asymmetry, a row per sample size.
    """
    figure = Figure(figsize=(WIDTH + 1.2, 2.45 * len(maps) + 0.9))
    for found, panels in _panels(figure, maps):
        sets, leads = unbeaten(found)
        share = np.minimum(1, 0.3 + 0.7 * leads / FULL)[:, None]
        colors = np.array([to_rgb(SET_COLORS[names]) for names in sets])
        colors = 1 - share * (1 - colors)
        for ax, here in panels:
            image = np.stack([_grid(found, colors[:, k], here)[0] for k in range(3)], axis=2)
            ax.imshow(image, origin="lower", aspect="auto")
    marks = [Patch(color=color, label=set_name(names)) for names, color in SET_COLORS.items()]
    figure.legend(handles=marks, loc="outside lower center", ncols=4, fontsize=8)
    return figure


@styled
def against(maps: Sequence[Map], a: str, b: str) -> Figure:
    """Accuracy of strategy ``a`` minus that of ``b`` in points; a dot marks no clear difference."""
    figure = Figure(figsize=(WIDTH + 1.2, 2.4 * len(maps) + 0.7))
    scale: Any = {"cmap": "PuOr_r", "vmin": -RANGE, "vmax": RANGE}
    for found, panels in _panels(figure, maps):
        mean = (found.accuracy[a] - found.accuracy[b]).mean(axis=1)
        better, worse = clear_cells(found, a, b)
        for ax, here in panels:
            grid, _, _ = _grid(found, 100 * mean, here)
            drawn = ax.imshow(grid, origin="lower", aspect="auto", **scale)
            unclear, _, _ = _grid(found, (~(better | worse)).astype(float), here)
            ax.plot(*np.nonzero(unclear == 1)[::-1], ".", color="#555555", markersize=2.5)
    label = f"{a} minus {b}, points"
    figure.colorbar(drawn, ax=figure.axes, label=label, extend="both", shrink=0.8)
    return figure


def _panels(figure: Figure, maps: Sequence[Map]) -> list[tuple[Map, list[tuple[Axes, np.ndarray]]]]:
    """Labelled axes in which to draw: [(map, [(axes, its cells as bool (C,))])]."""
    columns, panels = _asymmetries(maps), []
    axes = figure.subplots(len(maps), len(columns), squeeze=False, sharex=True, sharey=True)
    for row, found in zip(axes, maps, strict=True):
        xs, ys = (np.unique(found.where[axis]) for axis in ("uni", "paired"))
        for ax, asymmetry in zip(row, columns, strict=True):  # a label at every second cell
            ax.set_xticks(range(0, len(xs), 2), [f"{v:g}" for v in xs[::2]], fontsize=8)
            ax.set_yticks(range(0, len(ys), 2), [f"{v:g}" for v in ys[::2]], fontsize=8)
            ax.grid(visible=False)
            if len(columns) > 1:
                ax.set_title(_title(asymmetry), fontsize=9)
        row[0].set_ylabel(f"{found.n_train:,} samples\npaired strength")
        here = [found.where["asymmetry"] == asymmetry for asymmetry in columns]
        panels.append((found, list(zip(row, here, strict=True))))
    for ax in axes[-1]:
        ax.set_xlabel("uni-modal strength")
    return panels


def interactive(maps: Sequence[Map]) -> go.Figure:
    """The differences of :data:`COMPARISONS` in one figure with a menu and numbers on hover."""
    columns = _asymmetries(maps)
    titles = [f"{_title(a)}; n = {found.n_train:,}" for found in maps for a in columns]
    figure = make_subplots(
        len(maps), len(columns), subplot_titles=titles, shared_xaxes=True, shared_yaxes=True,
        horizontal_spacing=0.04, vertical_spacing=0.1,
    )  # fmt: skip
    places = product(enumerate(maps, start=1), enumerate(columns, start=1))
    panels = [(found, asymmetry, i, j) for (i, found), (j, asymmetry) in places]
    for number, (found, asymmetry, i, j) in enumerate(panels):
        z, text, xs, ys = _panel(found, asymmetry, *COMPARISONS[0])
        figure.add_trace(
            go.Heatmap(
                z=z, text=text, x=xs, y=ys, zmin=-RANGE, zmax=RANGE, colorscale="PuOr",
                reversescale=True, hovertemplate="%{text}<extra></extra>", showscale=not number,
                colorbar={"title": {"text": "points"}}, xgap=1, ygap=1,
            ),
            row=i, col=j,
        )  # fmt: skip
    buttons = []
    for a, b in COMPARISONS:
        shown = [_panel(found, asymmetry, a, b) for found, asymmetry, *_ in panels]
        data = {"z": [p[0] for p in shown], "text": [p[1] for p in shown]}
        buttons.append({"label": f"{a} minus {b}", "method": "restyle", "args": [data]})
    figure.update_layout(
        updatemenus=[{"buttons": buttons, "x": 0, "xanchor": "left", "y": 1.2, "yanchor": "top"}],
        margin={"l": 50, "r": 10, "t": 100, "b": 45}, height=280 * len(maps) + 120,
        font={"family": "sans-serif", "size": 12}, paper_bgcolor="white",
    )  # fmt: skip
    figure.update_annotations(font_size=11)
    figure.update_xaxes(title_text="uni-modal strength", row=len(maps))
    figure.update_yaxes(title_text="paired strength", col=1)
    return figure


def _panel(found: Map, asymmetry: float, a: str, b: str) -> tuple[list, list, list, list]:
    """Differences in points, the text shown for each cell, and the two axes."""
    difference = found.accuracy[a] - found.accuracy[b]
    here = found.where["asymmetry"] == asymmetry
    grid, xs, ys = _grid(found, 100 * difference.mean(axis=1), here)
    words = np.full(grid.shape, "", dtype=object)
    for c in np.flatnonzero(here):
        lines = [f"<b>{a} minus {b}:</b> {points(t_interval(difference[c]))}"]
        lines += [
            f"{name}: {100 * found.accuracy[name][c].mean():.1f}% ({found.chosen[name][c]})"
            for name in dict.fromkeys((a, b, *FAMILIES))
        ]
        best = f"{100 * found.bayes['additive'][c]:.1f}% / {100 * found.bayes['all'][c]:.1f}%"
        lines.append(f"best possible, additive / all: {best}")
        x, y = (np.searchsorted(v, found.where[k][c]) for v, k in ((xs, "uni"), (ys, "paired")))
        words[y, x] = "<br>".join(lines)
    return np.round(grid, 2).tolist(), words.tolist(), xs.tolist(), ys.tolist()


def _grid(found: Map, values: np.ndarray, here: np.ndarray) -> tuple[np.ndarray, ...]:
    """``values`` (C,) of the cells ``here`` as an array (paired, uni), with the two axes."""
    xs, ys = (np.unique(found.where[axis]) for axis in ("uni", "paired"))
    grid = np.full((len(ys), len(xs)), np.nan)
    x, y = (np.searchsorted(v, found.where[a][here]) for a, v in (("uni", xs), ("paired", ys)))
    grid[y, x] = values[here]
    return grid, xs, ys


def _asymmetries(maps: Sequence[Map]) -> list[float]:
    return sorted({float(a) for found in maps for a in found.where["asymmetry"]})


def _title(asymmetry: float) -> str:
    names = {0.0: "equal modalities", 1.0: "second: only paired"}
    return names.get(asymmetry, f"second weaker by {asymmetry:.0%}")
