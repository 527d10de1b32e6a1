"""The figure of laziness against what UME gains over joint training, one dot per data set."""

from __future__ import annotations

import pandas as pd

from umt_lib.style import COLORS, OTHER, WIDTH, Figure, styled


@styled
def against_gain(table: pd.DataFrame) -> Figure:
    """A dot with two intervals and its name for each row of :func:`.claims.lost_and_gained`."""
    figure = Figure(figsize=(WIDTH, 3.8))
    ax = figure.subplots()
    for row in table.itertuples():
        x, y = 100 * row.lost, 100 * row.gained
        ax.plot([100 * row.lost_low, 100 * row.lost_high], [y, y], color="#BBBBBB", linewidth=1)
        ax.plot([x, x], [100 * row.gained_low, 100 * row.gained_high], color="#BBBBBB", linewidth=1)
        ax.plot(x, y, "o", color=COLORS["ume"], zorder=3)
        ax.annotate(row.dataset, (x, y), (4, 4), textcoords="offset points", fontsize=8, zorder=4)
    for line in (ax.axvline, ax.axhline):
        line(0, color=OTHER, linewidth=0.8)
    ax.set(
        xlabel="probe after joint training minus uni-modal probe (points); left: lazier",
        ylabel="UME minus joint training (points)",
    )
    return figure
