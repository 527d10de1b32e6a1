"""The report: one HTML page that needs nothing else."""

from __future__ import annotations

import io
from html import escape
from warnings import catch_warnings, filterwarnings

from matplotlib import style as mpl_style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from umt_lib import style
from umt_lib.evaluation.intervals import Interval
from umt_lib.guide.recommendation import Measure, Recommendation

WORDS = {  # gain: what it means
    "combining": "UME's best rule over the mean of probabilities",
    "paper": "linear joint head over UME's mean (the paper's rule)",
    "joint": "linear joint head over UME's best rule (UMT?)",
    "additive": "additive correction over UME's best rule",
    "pairs": "pairs over the additive correction (interactions?)",
}
ADVICE = {
    "UME": "Keep the uni-modal models and combine their predictions: M trainings for M modalities.",
    "UMT": "Train jointly with uni-modal teachers: M + 1 trainings, and one more for each further "
    "value of the distillation weight that is tried.",
    "interactions": "Train jointly with a head that can join features (an MLP, attention), from "
    "the inputs if you can: one training. UME and a linear head cannot use what was found.",
    "no clear winner": "Gather more samples or better features, or take UME, the cheapest.",
}
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
    ".verdict{font-size:1.6em}svg{max-width:100%;height:auto}"
)


@style.styled
def picture(found: Recommendation) -> Figure:
    """Left: held-out accuracy of every competitor. Right: the gains that decide, 0 marked."""
    figure = Figure(figsize=(10, 3.4))
    left, right = figure.subplots(1, 2)
    _dots(left, {name: m.accuracy for name, m in found.competitors.items()})
    left.axvline(100 * found.chance, color="#777777", linestyle="--", linewidth=1)
    left.set(title="Held-out accuracy (%); dashed: commonest class")
    short = {name: WORDS[name].split(" (")[0].replace(" over ", "\nover ") for name in WORDS}
    _dots(right, {short[name]: m.accuracy for name, m in found.gains.items()})
    right.axvline(0, color="black", linewidth=0.8)
    right.set(title="Gain in accuracy (points)")
    return figure


def page(found: Recommendation) -> str:
    """The whole HTML page."""
    data = found.data
    modalities = ", ".join(f"{m} ({d})" for m, d in data["modalities"].items())
    groups = "" if data["groups"] is None else f" in {data['groups']} groups"
    drawn = "" if data["samples"] == data["samples given"] else f" of {data['samples given']}"
    chosen = ", ".join(f"{r} in {found.rules.count(r)}" for r in dict.fromkeys(found.rules))
    about = (
        f"{data['source']}: {data['samples']}{drawn} samples{groups}, {data['classes']} classes; "
        f"modalities (features): {modalities}. {data['folds']} folds, seed {data['seed']}; "
        f"{found.cost['fits']} fits, {found.cost['seconds']:.0f} s. Best rule of UME, by fold: "
        f"{chosen}."
    )
    worded = {WORDS[name]: m for name, m in found.gains.items()}
    caveats = "".join(f"<li>{escape(w)}</li>" for w in found.warnings)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>UME or UMT?</title>'
        f"<style>{STYLE}</style>"
        f'<p class="verdict">Verdict: <strong>{escape(found.verdict)}</strong></p>'
        f"<p>Because {escape(found.reason)}. {escape(ADVICE[found.verdict])}</p>"
        f"<p>The paper's rule says: <strong>{escape(found.paper)}</strong>.</p>"
        f"<p>{escape(about)}</p>{_svg(picture(found))}"
        f"<h2>The evidence</h2><p>Held-out, with 95% intervals; paired for gains.</p>"
        f"{_table('competitor', found.competitors, '.1f')}"
        f"{_table('gain', worded, '+.1f')}"
        f"<h2>How it can be wrong</h2><ul>{caveats}</ul></html>\n"
    )


def _dots(ax: Axes, intervals: dict[str, Interval]) -> None:
    for place, interval in enumerate(intervals.values()):
        mean, low, high = (100 * value for value in interval[:3])
        ax.plot([low, high], [place, place], color=style.COLORS["ume"], linewidth=2)
        ax.plot(mean, place, "o", color=style.COLORS["ume"])
    ax.set_yticks(range(len(intervals)), list(intervals), parse_math=False)
    ax.set_ylim(len(intervals) - 0.5, -0.5)


def _table(first: str, rows: dict[str, Measure], form: str) -> str:
    def cell(value: Interval, scale: int, form: str) -> str:
        mean, low, high = (format(scale * v, form) for v in value[:3])
        return f"<td>{mean} [{low}, {high}]</td>"

    body = "".join(
        f"<tr><td>{escape(name)}</td>{cell(m.accuracy, 100, form)}"
        f"{cell(m.likelihood, 1, form.replace('1f', '3f'))}</tr>"
        for name, m in rows.items()
    )
    head = f"<tr><th>{first}</th><th>accuracy (%)</th><th>log-likelihood (nats)</th></tr>"
    return f"<table>{head}{body}</table>"


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # Text stays text, so that names in any script are drawn by the reader's own fonts.
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl_style.context([style.STYLE, {"svg.fonttype": "none"}]), catch_warnings():
        filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(text, format="svg", metadata=nothing)
    return text.getvalue()[text.getvalue().index("<svg") :]
