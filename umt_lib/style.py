"""The one style of all figures: colours, width, fonts, and how a figure is saved."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from matplotlib import style as mpl_style
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("style.mplstyle")
COLORS = {"unimodal": "#777777", "ume": "#0072B2", "joint": "#D55E00", "umt": "#009E73"}
OTHER = "#000000"
WIDTH = 6.0  # inches: as wide as text on a screen, still legible on a phone


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw under the study's style, wherever the figure is drawn."""

    @wraps(draw)
    def inside(*args, **options) -> Figure:
        with mpl_style.context(STYLE):
            return draw(*args, **options)

    return inside


def save(figure: Figure, path: Path) -> None:
    """Write a figure so that the same figure gives the same bytes."""
    kind = path.suffix[1:]
    with mpl_style.context(STYLE):
        figure.savefig(path, dpi=160, metadata={"Date": None} if kind == "svg" else {})
