"""The style of all figures (colours, width, fonts), and a function to save a figure."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path

from matplotlib import style as mpl_style
from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("style.mplstyle")
COLORS = {"unimodal": "#777777", "ume": "#0072B2", "joint": "#D55E00", "umt": "#009E73"}
OTHER = "#000000"
WIDTH = 6.0  # inches; as wide as the text on a screen


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
