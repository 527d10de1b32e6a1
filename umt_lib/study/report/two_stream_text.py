"""Tables and sentences about RGB and flow networks on UCF101, and about pairs of RGB networks.

Every number is computed from ``measured``, the value of
:func:`umt_lib.study.analyses.two_stream.measure.two_stream`, or read from ``literature.csv``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from umt_lib.data.ucf101_two_stream import RGB_FRAMES
from umt_lib.evaluation.intervals import Interval
from umt_lib.study.analyses.two_stream import rules
from umt_lib.study.analyses.two_stream.measure import BOTH, CALIBRATED, FIRST, FLOW, RGB
from umt_lib.study.experiments.comparisons import LEVEL
from umt_lib.study.report import literature
from umt_lib.study.report.format import NONE, markdown, percent, points, signed

Half = dict[str, Any]  # see umt_lib.study.analyses.two_stream.measure.half
ALL_RGB = " + ".join(RGB)
SHORT = {"RGB 1 + RGB 2 + RGB 3 + RGB 4": "all four RGB"}
REFERENCE = ("UCF101", "late fusion, RGB + flow")  # data set and method in literature.csv


def verdict(measured: dict[str, Any]) -> str:
    """The sentence that answers whether the second modality or the averaging gives the gain."""
    half, _ = measured["halves"]
    best = max(_with_first(half), key=lambda e: gained(half, e).mean)
    flow, rgb = gained(half, BOTH), gained(half, best)
    gains = (
        f"On UCF101's test clips ({tested(half)}), a flow network added to the RGB network gains "
        f"{points(flow)} points of accuracy, and other RGB networks added to it gain "
        f"{points(rgb)} at most"
    )
    control = [c for c in half["families"]["second"] if c.startswith(f"{FIRST}:")]
    if not (is_clear(half, "gain", BOTH) and flow.mean > 0):
        return f"**{gains}: ensembles of both modalities have no clear gain.**"
    if all(is_clear(half, "second", c) and difference(half, "second", c).mean > 0 for c in control):
        part = "most" if rgb.mean < flow.mean / 2 else "a part"
        named = _as_accurate(half)[1]
        found = _range([difference(half, "second", c).mean for c in named]) if named else ""
        matched = (
            f" At matched accuracy, flow minus another RGB network is {found}." if found else ""
        )
        return (
            f"**{gains}: {part} of the gain is due to the second modality, not to averaging.**"
            f"{matched}"
        )
    return f"**{gains}: it is not clear whether the gain is due to the second modality.**"


def networks(measured: dict[str, Any]) -> str:
    """The networks: where their predictions are from, and how accurate they are alone."""
    rows = []
    for name, source in measured["networks"].items():
        link = f"https://github.com/{source['repository']}/tree/{source['commit']}"
        halves = [percent(Interval(*h["networks"][name]["accuracy"])) for h in measured["halves"]]
        rows.append(
            [
                name,
                f"[{source['repository']}]({link}), commit {source['commit'][:7]}",
                *halves,
                f"{measured['halves'][0]['networks'][name]['spread']:.1f}",
            ]
        )
    heads = [f"accuracy on {tested(half)}" for half in measured["halves"]]
    return markdown(["network", "predictions from", *heads, "spread of its logits"], rows)


def ensembles(measured: dict[str, Any]) -> str:
    """Every ensemble by the rule that the first part chose: accuracy and gain."""
    half, reverse = measured["halves"]
    rows = [
        [
            short(name),
            found["chosen"],
            percent(Interval(*found["rules"][found["chosen"]]["accuracy"])),
            points(gained(half, name), is_clear(half, "gain", name)),
            points(gained(reverse, name), is_clear(reverse, "gain", name)),
        ]
        for name, found in half["ensembles"].items()
    ]
    heads = [f"gain on {tested(h)}" for h in (half, reverse)]
    head = ["networks", "chosen rule", f"accuracy on {tested(half)}", *heads]
    return markdown(head, rows)


def control(measured: dict[str, Any]) -> str:
    """Flow or another RGB network beside the same RGB network."""
    half, reverse = measured["halves"]
    rows = []
    for name in half["families"]["second"]:
        first, second = name.split(f": {FLOW} or ")
        alone = percent(Interval(*half["networks"][second]["accuracy"])) if second in RGB else NONE
        differences = [
            points(difference(h, "second", name), is_clear(h, "second", name))
            for h in (half, reverse)
        ]
        rows.append([first, second, alone, *differences])
    heads = [f"flow minus it, on {tested(h)}" for h in (half, reverse)]
    return markdown(["first network", "second RGB network", "its accuracy", *heads], rows)


def by_rule(measured: dict[str, Any]) -> str:
    """RGB 1 and flow by every rule at every scale."""
    half, reverse = measured["halves"]
    rows = []
    for name, scored in half["ensembles"][BOTH]["rules"].items():
        rule, _, scale = name.partition(", ")
        rule += " (chosen)" if name == half["ensembles"][BOTH]["chosen"] else ""
        differences = [
            NONE
            if name == rules.RELEASED
            else points(difference(h, "rule", name), is_clear(h, "rule", name))
            for h in (half, reverse)
        ]
        rows.append([rule, scale or "fitted", percent(Interval(*scored["accuracy"])), *differences])
    heads = [f"minus the released sum, on {tested(h)}" for h in (half, reverse)]
    return markdown(["rule", "scale", f"accuracy on {tested(half)}", *heads], rows)


def calibrations(measured: dict[str, Any]) -> str:
    """Confidence minus accuracy, calibration error and cross-entropy, before and after fitting."""
    half = measured["halves"][0]
    named = [
        (name, scale, found)
        for name in (FIRST, FLOW)
        for scale, found in half["networks"][name]["calibration"].items()
    ]
    named += [(BOTH, rule, half["calibration"][rule]) for rule in CALIBRATED]
    rows = [
        [
            name,
            how,
            signed(excess(found)),
            f"{100 * found['error']:.1f}",
            f"{found['nll']:.2f}",
        ]
        for name, how, found in named
    ]
    head = ["networks", "scale, or rule and scale", "confidence minus accuracy, points"]
    return markdown([*head, "calibration error, points", "cross-entropy, nats"], rows)


def reproduced(measured: dict[str, Any]) -> str:
    """The accuracies that the repository of RGB 1 and flow states, and those of its files."""
    rows = [
        [
            name + (", sum of logits as released" if name == BOTH else ""),
            f"{100 * both['ours']:.2f}",
            f"{100 * both['published']:.1f}",
        ]
        for name, both in measured["published"].items()
    ]
    return markdown(["networks", "from the files, %", "stated in its README, %"], rows)


def paper(file: Path) -> str:
    """The number that others quote from the paper, shown apart from ours.

    Of several sources the first in the file counts.
    """
    lines = [x for x in literature.read(file) if (x["dataset"], x["method"]) == REFERENCE]
    if not lines or not lines[0]["value"]:
        return "The accuracy of the paper's late fusion on UCF101 was not obtained."
    line = lines[0]
    return (
        f"For late fusion of RGB and flow on UCF101, {line['source']} states {line['value']}% "
        f"({line['note']}). It must not be compared with the numbers on this page: these are other "
        f"networks."
    )


def sentences(measured: dict[str, Any]) -> str:
    """The findings as a Markdown list."""
    half, reverse = measured["halves"]
    lines = [
        _gain(half, reverse),
        _matched(half, reverse),
        _errors(half),
        _scale(measured),
        _rule(half, reverse),
        _calibration(half),
    ]
    return "\n".join(f"- {line}" for line in lines) + "\n"


def _gain(half: Half, reverse: Half) -> str:
    parts = [
        f"{points(gained(h, BOTH))} points with flow and {points(gained(h, ALL_RGB))} with all "
        f"other RGB networks on {tested(h)}"
        for h in (half, reverse)
    ]
    flow = [e for e in half["ensembles"] if e.endswith(FLOW)]
    rgb = [e for e in half["ensembles"] if not e.endswith(FLOW)]
    ranges = [_range([gained(half, e).mean for e in group]) for group in (flow, rgb)]
    return (
        f"**The second modality.** {FIRST} gains {'; '.join(parts)}, always fitted on the other "
        f"groups. Over all ensembles, the gain over the better network is {ranges[0]} with flow "
        f"and {ranges[1]} without, on {tested(half)}."
    )


def _as_accurate(half: Half) -> tuple[list[str], list[str]]:
    """The RGB networks that are at least as accurate as flow, and the comparisons with them."""
    limit = half["networks"][FLOW]["fit"]
    equal = [m for m in RGB if half["networks"][m]["fit"] >= limit]
    return equal, [c for c in half["families"]["second"] if c.rpartition(" or ")[2] in equal]


def _matched(half: Half, reverse: Half) -> str:
    """Flow beside a first network, minus an RGB network that is at least as accurate as flow."""
    equal, named = _as_accurate(half)
    if not named:
        return (
            "**At matched accuracy.** No RGB network is as accurate as flow, so nothing is matched."
        )
    parts = []
    for h in (half, reverse):
        values = _range([difference(h, "second", c).mean for c in named])
        clear = [c for c in named if is_clear(h, "second", c)]
        better = sum(difference(h, "second", c).mean > 0 for c in clear)
        parts.append(
            f"{values} on {tested(h)} (clear after correction: better in {better} of "
            f"{len(named)}, worse in {len(clear) - better})"
        )
    return (
        f"**At matched accuracy.** {' and '.join(equal)}, as a second network, is at least as "
        f"accurate as flow on the groups that rules are fitted on. Beside the same first RGB "
        f"network, the accuracy with flow minus that with it is "
        f"{' and '.join(parts)}."
    )


def _errors(half: Half) -> str:
    corrected = {m: Interval(*v) for m, v in half["corrected"][FIRST].items()}
    others = ", ".join(f"{m} {percent(v)}%" for m, v in corrected.items() if m != FLOW)
    return (
        f"**What is corrected.** Of the clips that {FIRST} gets wrong, flow gets "
        f"{percent(corrected[FLOW])}% right; {others}."
    )


def _scale(measured: dict[str, Any]) -> str:
    half, fixed = measured["halves"][0], measured["unfitted"]
    found = half["ensembles"][BOTH]["rules"]
    gains = {scale: found[f"sum, {scale}"]["gain"][0] for scale in rules.SCALES}
    share = gains["released"] / gains["equal"]
    spread = half["networks"][FLOW]["spread"] / half["networks"][FIRST]["spread"]
    both = Interval(*fixed["difference"])
    gain = points(both, fixed["p"] < LEVEL)
    return (
        f"**Equal logit scale** explains {100 * (1 - share):.0f}% of the gain: the sum of logits "
        f"gains {signed(gains['equal'])} points at equal scale and {signed(gains['released'])} as "
        f"released (scale of training: {signed(gains['trained'])}, fitted temperatures: "
        f"{signed(gains['temperature'])}). The released logits of flow have {spread:.1f} times the "
        f"spread of those of {FIRST}. Training suggests a factor of {RGB_FRAMES}: cross-entropy "
        f"was applied to the sum of {RGB_FRAMES} frames for RGB, and to one stack for flow. On all "
        f"{measured['clips']:,} clips, with nothing fitted, the scale of training gives "
        f"{percent(Interval(*fixed['trained']))}% and the released one "
        f"{percent(Interval(*fixed['released']))}%, a difference of {gain}."
    )


def _rule(half: Half, reverse: Half) -> str:
    parts = []
    for h in (half, reverse):
        found = h["ensembles"][BOTH]["rules"]
        values = ", ".join(
            f"{name} {100 * found[rule]['accuracy'][0]:.1f}"
            for name, rule in (
                ("mean", "mean, trained"),
                ("sum", "sum, trained"),
                ("product", "product, trained"),
                ("weighted", rules.WEIGHTED),
            )
        )
        parts.append(f"{values} on {tested(h)}")
    return (
        f"**The rule.** Accuracies in percent at the scale of training: {'; '.join(parts)}. "
        f"*Product* is *sum* with the class prior subtracted once."
    )


def _calibration(half: Half) -> str:
    errors = []
    for name in (FIRST, FLOW):
        found = half["networks"][name]["calibration"].items()
        parts = [f"{100 * scaled['error']:.1f} ({scale})" for scale, scaled in found]
        errors.append(f"{name} {', '.join(parts)}")
    temperatures = " and ".join(
        f"{half['networks'][name]['temperature']:.2f} for {name}" for name in (FIRST, FLOW)
    )
    excesses = ", ".join(
        f"{signed(excess(half['calibration'][rule]))} by {rule}"
        for rule in ("mean, temperature", "sum, temperature", rules.WEIGHTED)
    )
    return (
        f"**Calibration.** The calibration error in points is, by scale: {'; '.join(errors)}. The "
        f"fitted temperature, relative to the scale of training, is {temperatures}. For both "
        f"together, confidence minus accuracy is {excesses}, in points."
    )


def short(name: str) -> str:
    """The name of an ensemble in tables."""
    return SHORT.get(name, name)


def tested(half: Half) -> str:
    """The groups that a half is tested on, as in ``g04 to g07``."""
    groups = half["tested on"]
    if len(groups) > 1 and list(groups) == list(range(groups[0], groups[-1] + 1)):
        return f"g{groups[0]:02d} to g{groups[-1]:02d}"
    return ", ".join(f"g{g:02d}" for g in groups)


def gained(half: Half, ensemble: str) -> Interval:
    """The gain of an ensemble, by its chosen rule, over the better of its networks."""
    return difference(half, "gain", ensemble)


def difference(half: Half, family: str, comparison: str) -> Interval:
    """A comparison's difference of accuracies."""
    return Interval(*half["families"][family][comparison]["difference"])


def is_clear(half: Half, family: str, comparison: str) -> bool:
    """Whether a difference survives the correction of its family."""
    return half["families"][family][comparison]["adjusted"] < LEVEL


def excess(found: dict[str, Any]) -> float:
    """Mean confidence minus accuracy: above 0, the predictions are too confident."""
    gap = np.subtract(found["confidence"], found["accuracy"])
    return float(np.average(gap, weights=found["samples"]))


def _with_first(half: Half) -> list[str]:
    """The ensembles of FIRST and other RGB networks."""
    return [e for e, v in half["ensembles"].items() if FIRST in v["members"] and e != BOTH]


def _range(values: Sequence[float]) -> str:
    return f"{signed(min(values))} to {signed(max(values))}"
