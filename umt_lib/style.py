"""Figures: their class, their style (colours, width, fonts), and a function to save one."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from matplotlib import figure as mpl_figure
from matplotlib import style as mpl_style

STYLE = Path(__file__).with_name("style.mplstyle")
COLORS = {"unimodal": "#777777", "ume": "#0072B2", "joint": "#D55E00", "umt": "#009E73"}
OTHER = "#000000"
WIDTH = 6.0  # inches; as wide as the text on a screen


class Figure(mpl_figure.Figure):
    """A matplotlib figure that every notebook shows as a picture, once.

    A figure of pyplot is shown at the end of its cell, and again if it is the cell's value; any
    other figure is shown as text unless pyplot has been imported.
    """

    def _repr_png_(self) -> bytes:
        data = io.BytesIO()
        with mpl_style.context(STYLE):
            self.savefig(data, format="png", bbox_inches="tight")
        return data.getvalue()


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorate a drawing function to use the study's style."""

    @wraps(draw)
    def wrapper(*args, **options) -> Figure:
        with mpl_style.context(STYLE):
            return draw(*args, **options)

    return wrapper


def save(figure: Figure, path: Path) -> None:
    """Save a figure in the format of the suffix; the same figure gives the same bytes."""
    kind = path.suffix[1:]
    with mpl_style.context(STYLE):
        figure.savefig(path, dpi=160, metadata={"Date": None} if kind == "svg" else {})
