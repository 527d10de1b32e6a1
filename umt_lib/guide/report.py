"""The report of a recommendation: one self-contained HTML page."""

from __future__ import annotations

import io
import re
from html import escape
from warnings import catch_warnings, filterwarnings

from matplotlib import style as mpl_style
from matplotlib.axes import Axes

from umt_lib import style
from umt_lib.evaluation.intervals import Interval
from umt_lib.guide import cautions
from umt_lib.guide.evidence import BEST, FREQUENT, LINEAR, MEAN, MLP
from umt_lib.guide.recommendation import (
    INTERACTIONS,
    UME,
    UMT,
    UNCLEAR,
    Measure,
    Ranked,
    Recommendation,
    Trial,
)
from umt_lib.guide.strategies import TRAINED
from umt_lib.style import Figure

WORDS = {  # gain: what is compared with what
    "combining": "UME best rule over UME mean",
    "prior": "UME product over the product that counts the class frequencies M times",
    "calibration": "UME calibrated over UME product",
    "classifiers": "UME of better classifiers over UME best rule",
    "head": "linear head on unpaired samples over UME best rule",
    "linear pairs": "frozen linear head over linear head on unpaired samples",
    "pairs": "correction with pairs over additive correction (interactions?)",
    "paper": "frozen linear head over UME mean (the paper's rule)",
    "paper, MLP head": "frozen MLP head over UME mean (the paper's rule, MLP head)",
    "joint": "frozen linear head over UME best rule (UMT?)",
    "joint over classifiers": "frozen linear head over UME of better classifiers (UMT?)",
    "additive": "additive correction over UME best rule",
    "additive over joint": "additive correction over frozen linear head",
    "pairs over joint": "correction with pairs over frozen linear head",
    "pairs over UME": "correction with pairs over UME best rule",
}
LONGEST = 28  # characters of a name in the figure
ADVICE = {
    UME: "Keep the uni-modal models and combine their predictions: M trainings, one per modality.",
    UMT: "Train jointly with uni-modal teachers: M + 1 trainings, and one more for each further "
    "value of the distillation weight that is tried.",
    INTERACTIONS: "Train jointly with a head that can model interactions (an MLP or attention), "
    "if possible from the raw inputs: one training. UME and a linear head cannot use these "
    "interactions.",
    UNCLEAR: "Collect more samples or better features. Until then UME is the simplest choice: it "
    "needs neither joint training nor teachers.",
}
NOT_RANKED = (
    "Joint training and UMT are not among the strategies that are ranked: they train new encoders, "
    "and the features do not show what these would learn."
)
NAMES = (  # of the strategies
    "A modality alone: a linear classifier on its features. UME: the ensemble of these "
    "classifiers, by the mean of their probabilities, their product, their product after "
    "calibration by temperatures, or fitted weights; the products count the class frequencies "
    "once, the weighted rule with a fitted weight. Frozen head: a linear classifier or a small "
    "network on the features of all modalities. Correction: a small network added to the best rule "
    "of UME; the additive correction cannot use interactions between modalities, the correction "
    "with pairs can. UME of better classifiers: UME of classifiers each of which is corrected by "
    "such a network on the features of its modality alone."
)
CAUSE = (  # how causes are told apart
    "A rule: the best rule of UME, chosen within each training part, over the mean. A classifier: "
    "UME of better classifiers over UME. A head: the linear head trained on samples whose "
    "modalities are shuffled within each class, so that it can use nothing that modalities say "
    "only together, over UME. Paired features that a linear head can use: the same head on the "
    "samples as they are, over that on shuffled ones. Interactions: the correction with pairs over "
    "the additive one."
)
PREDICTED = {  # strategy of the direct experiment: the competitor that predicts it
    "UME": BEST,
    "UME (mean)": MEAN,
    "frozen": LINEAR,
    "frozen (MLP)": MLP,
}
STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;"
    "border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}"
    ".verdict{font-size:1.6em}svg{max-width:100%;height:auto}"
    "p,li,td{overflow-wrap:anywhere}td+td{white-space:nowrap}"
)


@style.styled
def picture(found: Recommendation) -> Figure:
    """Figure: held-out accuracy of every strategy (left), where the gain comes from (right)."""
    figure = Figure(figsize=(10, max(3.4, 0.34 * len(found.ranking))))
    left, right = figure.subplots(1, 2)
    _dots(left, {name: ranked.accuracy for name, ranked in found.ranking.items()})
    left.set_yticklabels([shortened(name) for name in found.ranking], parse_math=False)
    left.axvline(100 * found.chance, color="#777777", linestyle="--", linewidth=1)
    left.set(title="Held-out accuracy (%); dashed: most frequent class")
    short = {name.replace(" that ", "\nthat "): m.accuracy for name, m in found.causes.items()}
    _dots(right, short)
    right.axvline(0, color="black", linewidth=0.8)
    right.set(title="Where does the gain come from? (points)")
    return figure


def shortened(name: str) -> str:
    """A name that fits into the figure: the middle of a longer one is left out.

    >>> shortened("wav2vec2_large_robust_layer_24_mean_pooled alone")
    'wav2vec2_large…_pooled alone'
    """
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST // 2]}…{name[-LONGEST // 2 + 1 :]}"


def in_numbers(cost: str, modalities: int) -> str:
    """A cost in trainings with the number of modalities instead of M.

    >>> in_numbers("M + 1 trainings", 2), in_numbers("M trainings, a linear head", 3)
    ('3 trainings', '3 trainings, a linear head')
    """
    return re.sub(r"\bM( \+ 1)?\b", lambda m: str(modalities + bool(m[1])), cost)


def advice(found: Recommendation) -> str:
    """What to do, as sentences."""
    sentences = in_numbers(ADVICE[found.verdict], len(found.data["modalities"]))
    if found.verdict == UME and found.cheapest in map(_alone, found.data["modalities"]):
        sentences += (
            f" One modality may be enough: {found.cheapest} is within half a point of the best "
            f"strategy."
        )
    return sentences


def uninformative(found: Recommendation) -> list[str]:
    """A sentence for each modality that is not clearly better than the most frequent class."""
    return [
        f"{_alone(m)} is not clearly more accurate than always predicting the most frequent class."
        for m in found.data["modalities"]
        if found.competitors[_alone(m)].accuracy.low <= found.chance
    ]


def _alone(modality: str) -> str:
    return f"{modality} alone"


def page(found: Recommendation) -> str:
    """The HTML page: verdict, reason, advice, figure, tables and warnings."""
    data = found.data
    modalities = ", ".join(f"{m} ({d})" for m, d in data["modalities"].items())
    groups = "" if data["groups"] is None else f" in {data['groups']} groups"
    drawn = "" if data["samples"] == data["samples given"] else f" of {data['samples given']}"
    chosen = ", ".join(f"{r} in {found.rules.count(r)}" for r in dict.fromkeys(found.rules))
    repeats = f", {data['repeats']} cross-validations" if data["repeats"] > 1 else ""
    about = (
        f"{data['source']}: {data['samples']}{drawn} samples{groups}, {data['classes']} classes; "
        f"modalities (number of features): {modalities}. {data['folds']} folds, seed "
        f"{data['seed']}{repeats}; {found.cost['fits']} fits in {found.cost['seconds']:.0f} s. "
        f"Best rule of UME (number of folds): {chosen}."
    )
    number = len(data["modalities"])
    worded = {in_numbers(WORDS[name], number): m for name, m in found.gains.items()}
    copies = f"<p>{escape(cautions.copied(data['copies']))}</p>" if data["copies"] else ""
    pairs = _table("gain from interactions of", data["pairs"], "+.1f") if data["pairs"] else ""
    warnings = "".join(f"<li>{escape(w)}</li>" for w in found.warnings)
    others = "; ".join(f"{name}: {in_numbers(what, number)}" for name, what in TRAINED.items())
    useless = "".join(f"<p>{escape(sentence)}</p>" for sentence in uninformative(found))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>UME or UMT?</title>'
        f"<style>{STYLE}</style>"
        f"{copies}"
        f'<p class="verdict">Verdict: <strong>{escape(found.verdict)}</strong></p>'
        f'<p class="verdict">Cheapest: <strong>{escape(found.cheapest)}</strong></p>'
        f"<p>Because {escape(found.reason)}. {escape(advice(found))}</p>"
        f"<p>{escape(saving(found))}</p>{useless}"
        f"<p>Verdict of the paper's rule: <strong>{escape(found.paper)}</strong>.</p>"
        f"<p>{escape(about)}</p>{_svg(picture(found))}"
        f"<h2>Strategies</h2><p>{NAMES} All values are held-out, with 95% intervals; the intervals "
        f"of differences are paired, and those of the gains of single pairs of modalities are "
        f"widened by Bonferroni's correction.</p>{_ranking(found.ranking, number)}"
        f"<p>What features cannot rank, because it trains encoders: {escape(others)}.</p>"
        f"{_trial(found)}<h2>Where does the gain come from?</h2><p>{CAUSE}</p>"
        f"{_table('cause', found.causes, '+.1f')}{pairs}"
        f"<h2>All comparisons</h2>{_table('gain', worded, '+.1f')}"
        f"<h2>How this verdict can be wrong</h2><ul>{warnings}</ul></html>\n"
    )


def saving(found: Recommendation) -> str:
    """What the cheapest strategy costs in trainings and in accuracy, as sentences."""
    cost, _, behind = found.ranking[found.cheapest]
    cost = in_numbers(cost, len(found.data["modalities"]))
    if found.cheapest == FREQUENT:
        return (
            "No strategy is clearly more than half a point more accurate than always predicting "
            "the most frequent class, which needs no training."
        )
    if behind.mean == 0:
        sentence = (
            f"No cheaper strategy than {found.cheapest} ({cost}) is within half a point of it."
        )
    else:
        sentence = (
            f"The cheapest strategy within half a point of the best is {found.cheapest} ({cost}): "
            f"it is {100 * behind.mean:.1f} points below {next(iter(found.ranking))}, and at most "
            f"{100 * behind.high:.1f}."
        )
    return f"{sentence} {NOT_RANKED}" if found.verdict in (UMT, INTERACTIONS) else sentence


def tried(verdict: str, trial: Trial) -> str:
    """Whether the verdict holds in the direct experiment, as a sentence."""
    lost = f"{100 * trial.regret:.1f} points"
    if not trial.decided:
        return (
            f"no strategy is clearly the best; {trial.best} is the most accurate, and following "
            f"the verdict ({trial.taken}) loses {lost}"
        )
    if verdict == UNCLEAR:
        return (
            f"{trial.best} is clearly the best, which the verdict leaves open; {trial.taken}, "
            f"which it advises, loses {lost}"
        )
    if trial.best == trial.taken:
        return f"the verdict holds: {trial.best} is clearly the best"
    return (
        f"the verdict does not hold: {trial.best} is clearly the best, {trial.taken} loses {lost}"
    )


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _trial(found: Recommendation) -> str:
    """The section about the direct experiment; nothing if there is none."""
    if (trial := found.trial) is None:
        return ""
    body = ""
    for name, accuracy in trial.accuracy.items():
        predicted = found.competitors.get(PREDICTED.get(name, name))
        shown = "<td>-</td>" if predicted is None else _cell(predicted.accuracy, 100, ".1f")
        body += f"<tr><td>{escape(name)}</td>{_cell(accuracy, 100, '.1f')}{shown}</tr>"
    head = "<tr><th>strategy</th><th>trained and tested (%)</th><th>predicted (%)</th></tr>"
    return (
        f"<h2>The direct experiment</h2><p>{escape(_capital(tried(found.verdict, trial)))}. "
        f"Small networks were trained on {trial.samples} samples of the features by every "
        f"strategy: an MLP encoder per modality, {next(iter(trial.accuracy.values())).n} seeds, "
        f"each with its own test fold; intervals are over seeds. Predictions are those of the "
        f"guide, for classifiers on the features.</p><table>{head}{body}</table>"
    )


def _dots(ax: Axes, intervals: dict[str, Interval]) -> None:
    for place, interval in enumerate(intervals.values()):
        mean, low, high = (100 * value for value in interval[:3])
        ax.plot([low, high], [place, place], color=style.COLORS["ume"], linewidth=2)
        ax.plot(mean, place, "o", color=style.COLORS["ume"])
    ax.set_yticks(range(len(intervals)), list(intervals), parse_math=False)
    ax.set_ylim(len(intervals) - 0.5, -0.5)


def _cell(value: Interval, scale: int, form: str) -> str:
    mean, low, high = (format(scale * v, form) for v in value[:3])
    return f"<td>{mean} [{low}, {high}]</td>"


def _table(first: str, rows: dict[str, Measure], form: str) -> str:
    body = "".join(
        f"<tr><td>{escape(name)}</td>{_cell(m.accuracy, 100, form)}"
        f"{_cell(m.likelihood, 1, form.replace('1f', '3f'))}</tr>"
        for name, m in rows.items()
    )
    head = f"<tr><th>{first}</th><th>accuracy (%)</th><th>log-likelihood (nats)</th></tr>"
    return f"<table>{head}{body}</table>"


def _ranking(rows: dict[str, Ranked], modalities: int) -> str:
    body = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(in_numbers(cost, modalities))}</td>"
        f"{_cell(accuracy, 100, '.1f')}{_cell(behind, 100, '.1f')}</tr>"
        for name, (cost, accuracy, behind) in rows.items()
    )
    head = "<tr><th>strategy</th><th>cost</th><th>accuracy (%)</th><th>below the best</th></tr>"
    return f"<table>{head}{body}</table>"


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # Text stays text: the reader's browser has the fonts for names in any script.
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl_style.context([style.STYLE, {"svg.fonttype": "none"}]), catch_warnings():
        filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(text, format="svg", metadata=nothing)
    return text.getvalue()[text.getvalue().index("<svg") :]
