"""Figures: their class, their style (colours, width, fonts), and a function to save one."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from matplotlib import figure as mpl_figure
from matplotlib import style as mpl_style

from umt_lib.files import write_atomically

STYLE = Path(__file__).with_name("style.mplstyle")
COLORS = {  # of strategies, by the name of the method: those of Okabe and Ito, and a grey
    "unimodal": "#777777",
    "ume": "#0072B2",
    "joint": "#D55E00",
    "umt": "#009E73",
    "frozen": "#E69F00",
    "joint-auxiliary": "#CC79A7",
    "unimodal-init": "#56B4E9",
}
VARIANTS = {  # of UMT: all colours are taken, so these are of strategies in no figure with variants
    "sub-space": "#0072B2",
    "faded": "#56B4E9",
    "faded by half the epochs": "#E69F00",
    "wider": "#CC79A7",
}
OTHER = "#000000"
WIDTH = 6.0  # inches; as wide as the text on a screen


class Figure(mpl_figure.Figure):
    """A matplotlib figure that every notebook shows once, as one picture.

    A figure of pyplot is shown at the end of its cell, and again if it is the cell's value; any
    other figure is shown as text unless pyplot has been imported. Lines and text are shown as svg
    without a background, pictures as png.

    Attributes:
        alt: what the figure shows, for readers who do not see it.
        form: svg, or png for pictures of data and many lines.
    """

    alt = ""
    form = "svg"

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        form = "png" if any(ax.images for ax in self.axes) else self.form
        back, data = "white" if form == "png" else "none", io.BytesIO()
        with mpl_style.context(STYLE):
            self.savefig(data, format=form, dpi=110, facecolor=back, metadata=_undated(form))
        kind, shown = "image/png", data.getvalue()
        if form == "svg":
            kind, shown = "image/svg+xml", _small(data.getvalue().decode())
        metadata = {kind: {"alt": self.alt}} if self.alt else {}
        publish_display_data({kind: shown, "text/plain": self.alt or "a figure"}, metadata)


def _small(svg: str) -> str:
    """The same picture at half the size: two decimals (a hundredth of a point), one font."""
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    for what, instead in (
        (r"(\.\d\d)\d+", r"\1"),
        (r"font-family: [^;\"]*;? ?", ""),
        (r' transform="rotate\(-0 [^)]*\)"', ""),
        (r'<g id="[^"]*"', "<g"),
        (r'(<use [^>]*) style="stroke: #000000; stroke-width: 0.8"', r"\1"),
        (
            r"\*\{stroke-linejoin",
            "*{font-family: 'DejaVu Sans', Verdana, sans-serif; stroke-linejoin",
        ),
    ):
        svg = re.sub(what, instead, svg)
    return " ".join(svg.split())


def _undated(form: str) -> dict:
    """Metadata without a date, so that the same figure gives the same bytes."""
    return {"Date": None} if form == "svg" else {}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Decorate a drawing function to use the study's style."""

    @wraps(draw)
    def wrapper(*args, **options) -> Figure:
        with mpl_style.context(STYLE):
            return draw(*args, **options)

    return wrapper


def save(figure: Figure, path: Path) -> None:
    """Save a figure in the format of the suffix; the same figure gives the same bytes.

    Raises:
        StudyError: the file cannot be written.
    """
    form, data = path.suffix[1:], io.BytesIO()
    with mpl_style.context(STYLE):
        figure.savefig(data, format=form, dpi=160, metadata=_undated(form))
    write_atomically(path, data.getvalue())
