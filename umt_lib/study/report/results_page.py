"""The table of all results: the page on which readers filter them, and the files to download."""

from __future__ import annotations

import pandas as pd

from umt_lib.evaluation.intervals import Interval, accuracy_interval
from umt_lib.methods import METHODS
from umt_lib.study.experiments.comparisons import difference, laziness
from umt_lib.study.experiments.results import Result
from umt_lib.study.pipeline.collection import STALE, Entry, Study
from umt_lib.study.report import shown
from umt_lib.study.report.choices import SIMPLE
from umt_lib.study.report.compared_methods import covered
from umt_lib.study.report.costs import total_passes
from umt_lib.study.report.format import NOTHING
from umt_lib.study.report.opened import study
from umt_lib.study.report.pooling import GENERATED
from umt_lib.study.report.shown import Text
from umt_lib.study.report.tables import REFERENCES, validated

FILTERS = ("data set", "family", "method", "head", "run")  # columns with few values
HIDDEN = ("family", "head", "low", "high", "validation", "seconds", "run")  # until chosen


def summary(of: Study) -> pd.DataFrame:
    """One row per experiment, accuracies and their differences in percent and points.

    Columns: what it is; mean test accuracy with its interval ``low``, ``high``; number of seeds;
    differences to joint training (linear head) and UME of the data set, and laziness of the laziest
    encoder, both not of stale results; validation accuracy; encoder passes with those of teachers,
    in thousands; seconds of training one seed; where it was measured.
    """
    return pd.DataFrame(_row(of, e, e.result) for e in of.entries if e.result)


def _row(of: Study, entry: Entry, result: Result) -> dict[str, object]:
    accuracy = accuracy_interval(result.accuracy)
    compared = entry.origin != STALE
    others = of.results(entry.dataset) if compared else {}
    gaps = [
        gap.mean
        for m, reference in of.unimodal(entry.dataset).items()
        if compared and (gap := laziness(result, reference, m))
    ]
    passes = total_passes(of, entry)
    return {
        "experiment": entry.name,
        "data set": entry.dataset,
        "method": entry.label,
        "family": METHODS[entry.method].family,
        "head": entry.head,
        "accuracy": _percent(accuracy.mean),
        "low": _percent(accuracy.low),
        "high": _percent(accuracy.high),
        "seeds": accuracy.n,
        **{f"minus {r}": _gain(difference(result, others.get(r))) for r in REFERENCES},
        "laziest encoder": _percent(min(gaps)) if gaps else None,
        "validation": _percent(validated(result)),
        "passes, thousands": passes and round(passes / 1000),
        "seconds": round(result.provenance.cost.seconds, 1),
        "run": entry.origin,
    }


def _percent(share: float) -> float:
    return round(100 * share, 1)


def _gain(gain: Interval | None) -> float | None:
    return None if gain is None else _percent(gain.mean)


def rows() -> pd.DataFrame:
    """:func:`summary` of the results that are shown."""
    return summary(study())


def explore() -> None:
    """The table with filters, which works without a network and without a server."""
    import itables
    from IPython.display import HTML, display

    table = rows()
    if table.empty:
        return
    links = [
        f'<a href="experiments/{name}.html">{label}</a>'
        for name, label in zip(table["experiment"], table["method"], strict=True)
    ]
    table = table.assign(method=links).drop(columns="experiment")
    table = table.astype(object).where(table.notna(), "")
    columns = list(table)
    display(HTML(itables.javascript.generate_init_offline_itables_html(itables.options.dt_bundle)))
    html = itables.to_html_datatable(
        table,
        connected=False,
        allow_html=True,
        showIndex=False,
        table_id="all-results",  # without it, a random one: the page is the same in every build
        classes="display compact",
        maxBytes=0,
        layout={"top1": "searchPanes", "topStart": "buttons"},
        buttons=["colvis"],
        pageLength=25,
        order=[[columns.index("data set"), "asc"], [columns.index("accuracy"), "desc"]],
        searchPanes={
            "columns": [columns.index(name) for name in FILTERS],
            "layout": "columns-3",
            "initCollapsed": True,
            "cascadePanes": True,
        },
        columnDefs=[
            {"targets": [columns.index(name) for name in HIDDEN], "visible": False},
            {"targets": [columns.index(name) for name in FILTERS], "searchPanes": {"show": True}},
        ],
    )
    display(HTML(html))


def cost_against_accuracy() -> Text | None:
    """What each method gains over joint training, against what it costs."""
    from umt_lib.study.report.cost_figure import averages, cost_against_gain

    found, datasets = rows(), [d for d in covered(study()) if d not in GENERATED]
    table = averages(found, datasets) if datasets else found.iloc[:0]
    if table.empty:
        return Text(NOTHING)
    shown.figure(
        cost_against_gain(table, SIMPLE),
        "Scatter plot of methods: encoder passes relative to joint training, and gain in accuracy.",
        f"Every method that was measured on all of these real data sets: {', '.join(datasets)}. "
        f"Right: more encoder passes than joint training with a linear head, teachers included, "
        f"sweeps not (median over data sets). Up: more accurate than it (mean over data sets; no "
        f"interval, no correction). Named: the simple choices, the three best and the three worst.",
    )
    return None


def counted() -> Text:
    """How many results there are, of how many data sets and methods."""
    table = rows()
    if table.empty:
        return Text(NOTHING)
    return Text(
        f"{len(table)} experiments on {table['data set'].nunique()} data sets, with "
        f"{int(table['seeds'].sum()):,} test scores, one per seed."
    )
