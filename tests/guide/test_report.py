"""The page: complete, self-contained, the same for the same evidence, and safe with any name."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from umt_lib.evaluation.intervals import Interval
from umt_lib.guide import cautions, report
from umt_lib.guide.recommendation import VERDICTS, Measure, Recommendation
from umt_lib.guide.strategies import CAUSES, ranking, strategies
from umt_lib.guide.verdict import GAINS

DATA = {
    "source": "mine.npz",
    "samples": 90,
    "samples given": 90,
    "modalities": {"audio": 3, "video": 5},
    "classes": 2,
    "groups": None,
    "folds": 5,
    "seed": 0,
    "farthest": {"audio": (3.0, 7), "video": (4.0, 8)},
    "copies": None,
    "repeats": 1,
    "verdicts of repeats": {"UME": 1},
    "near border": False,
    "pairs": {},
    "inputs": True,
}


def measure(mean: float, half: float = 0.01) -> Measure:
    return Measure(*[Interval(mean, mean - half, mean + half, 90)] * 2)


@pytest.fixture
def found() -> Recommendation:
    names = strategies(("audio", "video"))
    competitors = {name: measure(0.8) for name in names}
    gains = {name: measure(0.0) for name in GAINS}
    return Recommendation(
        verdict="UME",
        reason="nothing gains",
        paper="UMT",
        cheapest="UME mean",
        ranking=ranking(competitors, {name: measure(0.001) for name in names}),
        causes={cause: gains[name] for cause, name in CAUSES.items()},
        competitors=competitors,
        gains=gains,
        chance=0.5,
        rules=("mean", "mean", "product"),
        data=DATA,
        cost={"seconds": 1.0, "fits": 9},
        warnings=cautions.warnings("UME", gains, DATA),
    )


@pytest.mark.parametrize("verdict", VERDICTS)
def test_it_holds_verdict_reason_advice_and_both_rules(found, verdict):
    found = replace(found, verdict=verdict)
    page = report.page(found)
    for part in (verdict, "Because nothing gains.", "Verdict of the paper's rule", "mine.npz"):
        assert part in page
    assert report.advice(found) in page.replace("&#x27;", "'")
    assert "Cheapest: <strong>UME mean</strong>" in page
    assert "UME mean (2 trainings): it is 0.1 points below" in page
    for name, (cost, _, _) in found.ranking.items():
        shown = report.in_numbers(cost, 2)
        assert f"<td>{name}</td><td>{shown}</td><td>80.0 [79.0, 81.0]</td>" in page
    for cause in CAUSES:
        assert f"<td>{cause}</td><td>+0.0 [-1.0, +1.0]</td>" in page
    assert "joint training: 1 training; UMT: 3 trainings" in page
    assert not re.search(r"\bM\b", page[page.index("<p>") : page.index("<svg")])
    assert "mean in 2, product in 1" in page


@pytest.mark.parametrize("verdict", VERDICTS)
def test_joint_training_is_said_to_be_unranked_where_it_is_advised(found, verdict):
    said = report.NOT_RANKED in report.page(replace(found, verdict=verdict))
    assert said == (verdict in ("UMT", "interactions"))


def test_a_modality_that_predicts_nothing_is_named(found):
    sentence = "video alone is not clearly more accurate than always predicting the most frequent"
    assert sentence not in report.page(found)
    weak = {**found.competitors, "video alone": measure(0.505)}
    page = report.page(replace(found, competitors=weak))
    assert f"<p>{sentence} class.</p>" in page
    assert "audio alone is not" not in page


def test_one_modality_may_be_enough_for_the_verdict_ume(found):
    one = replace(found, cheapest="audio alone")
    sentence = (
        "One modality may be enough: audio alone is within half a point of the best strategy."
    )
    assert sentence in report.page(one)
    assert "may be enough" not in report.page(found)
    assert "may be enough" not in report.page(replace(one, verdict="interactions"))


def test_it_needs_nothing_else(found):
    class Links(HTMLParser):
        found = ()

        def handle_starttag(self, tag, attributes):
            wanted = ("href", "xlink:href", "src", "rdf:resource")
            self.found += tuple(v for k, v in attributes if k in wanted and v[:1] != "#")
            assert tag not in ("script", "link", "iframe", "img")

    links = Links()
    page = report.page(found)
    links.feed(page)
    assert links.found == ()
    assert not re.search(r"url\((?!#)", page)
    assert page.count("<html") == page.count("</html>") == page.count("<svg") == 1


def test_the_same_evidence_gives_the_same_bytes(found):
    assert report.page(found) == report.page(found)


@pytest.mark.parametrize(
    "name", ["<b>&", "<script>alert(1)</script>", "{{x}}", "a$b$", r"$\nothing{$", "音声", "a_b^c"]
)
def test_names_in_any_script_are_shown_as_they_are(found, name):
    named = replace(
        found,
        ranking={f"{name} alone": found.ranking["UME mean"], **found.ranking},
        competitors={f"{name} alone": measure(0.5), **found.competitors},
        data={**DATA, "modalities": {name: 3, "video": 5}, "source": f"{name}.npz"},
    )
    page = report.page(named)
    assert "<b>" not in page
    assert "<script" not in page
    escaped = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert page.count(escaped) >= 4  # source, modality, picture, table


def test_warnings_about_this_case_come_first(found):
    gains = {**found.gains, "combining": measure(0.1), "additive": measure(0.1)}
    few = cautions.warnings("UME", gains, {**DATA, "groups": 4, "samples given": 500})
    assert [w.split()[0] for w in few[:4]] == ["An", "The", "There", "90"]
    assert few[4:] == (cautions.WITH_INPUTS, *cautions.ALWAYS)
    alone = cautions.warnings("UME", gains, {**DATA, "inputs": False})
    assert alone[-len(cautions.ALWAYS) - 1] == cautions.WITHOUT_INPUTS
    better = cautions.warnings("UME", {**gains, "classifiers": measure(0.1)}, DATA)
    assert better[0].startswith("Corrections of the single modalities clearly improve UME")
    copies = {"rows": 6, "groups": 80, "pair": [3, 7], "exact": False}
    repeats = {"repeats": 5, "verdicts of repeats": {"UME": 4, "UMT": 1}, "near border": True}
    first = cautions.warnings("UME", gains, {**DATA, "copies": copies, **repeats})[:2]
    assert first[0].startswith("6 rows repeat: they are nearly the same in every modality")
    assert "so 5 were run, with different folds: the verdict is UME in 4, UMT in 1 of" in first[1]
    assert first[1].endswith("The mean is near a border too: more samples may change the verdict.")
    pairs = cautions.warnings("UME", {**found.gains, "pairs": measure(0.1)}, DATA)
    assert pairs[0].startswith("Interactions clearly improve the log-likelihood")
    assert pairs[1].startswith("No groups were given")
    assert cautions.FOR_UMT not in pairs
    umt = cautions.warnings("UMT", found.gains, DATA)
    assert umt[-len(cautions.ALWAYS) - 1] == cautions.FOR_UMT


def test_a_value_that_squeezes_the_others_of_its_column_is_named(found):
    for away, named in ((8.0, False), (9.0, True)):  # of 90 samples at most 9.4
        data = {**DATA, "farthest": {"audio": (away, 7)}}
        warned = cautions.warnings("UME", found.gains, data)
        sentence = f"A value of audio, in row 7 (the first is 0), lies {away:.0f} standard"
        assert any(w.startswith(sentence) for w in warned) == named


def test_long_names_fit_into_figure_and_page(found):
    long = "wav2vec2_large_robust_layer_24_mean_pooled_" * 3
    named = replace(found, ranking={f"{long} alone": found.ranking["UME mean"], **found.ranking})
    figure = report.picture(named)
    figure.savefig(io.BytesIO())  # only then is it laid out
    left, right = figure.axes
    assert left.get_yticklabels()[0].get_text() == "wav2vec2_large…pooled_ alone"
    for ax in (left, right):
        assert ax.get_window_extent().width > 0.2 * figure.bbox.width
        for label in ax.get_yticklabels():
            assert label.get_window_extent().x0 >= 0
    assert f"<td>{long} alone</td>" in report.page(named)
    assert "overflow-wrap:anywhere" in report.STYLE


def test_the_pairs_of_three_modalities_are_a_table(found):
    three = replace(found, data={**DATA, "pairs": {"a and b": measure(0.2), "a and c": measure(0)}})
    page = report.page(three)
    assert "<th>gain from interactions of</th>" in page
    assert "<td>a and b</td><td>+20.0 [+19.0, +21.0]</td>" in page
    assert "gain from interactions of" not in report.page(found)
