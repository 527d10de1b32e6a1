"""Figures of RGB and flow networks on UCF101: what an ensemble gains, and calibration."""

from __future__ import annotations

from typing import Any

import numpy as np

from umt_lib.study.analyses.two_stream.measure import BOTH, FIRST, FLOW
from umt_lib.study.analyses.two_stream.rules import WEIGHTED
from umt_lib.study.report import figures
from umt_lib.study.report.two_stream_text import gained, is_clear, short
from umt_lib.style import COLORS, OTHER, WIDTH, Figure, styled

LINES = {  # scale: name, colour, marker
    "released": ("as released", COLORS["joint"], "s"),
    "trained": ("scale of training", COLORS["ume"], "o"),
    "temperature": ("fitted temperature", COLORS["umt"], "^"),
    WEIGHTED: ("fitted weights", COLORS["unimodal"], "D"),
}
MIN_SAMPLES = 20  # bins with fewer clips are left out of the figure


def gains(measured: dict[str, Any]) -> Figure:
    """The gain of every ensemble over the better of its networks, with flow and without."""
    half = measured["halves"][0]
    named = {FLOW: "RGB and flow", "": "RGB only"}
    panels = {
        title: [
            (short(e), "ume" if end else "unimodal", is_clear(half, "gain", e), gained(half, e))
            for e in half["ensembles"]
            if e.endswith(FLOW) == bool(end)
        ]
        for end, title in named.items()
    }
    return figures.dots(panels, "gain over the better network, points", zero=True)


@styled
def reliability(measured: dict[str, Any]) -> Figure:
    """Accuracy over confidence: RGB 1, flow, and their sum of logits, by scale and weighted."""
    half = measured["halves"][0]
    panels = {name: half["networks"][name]["calibration"] for name in (FIRST, FLOW)}
    both = half["calibration"]
    panels[BOTH] = {scale: both.get(f"sum, {scale}", both.get(scale)) for scale in LINES}
    figure = Figure(figsize=(WIDTH + 1.4, 3.1))
    axes = figure.subplots(1, len(panels), sharey=True)
    for ax, (title, found) in zip(axes, panels.items(), strict=True):
        ax.plot([0, 100], [0, 100], "--", color=OTHER, linewidth=1)
        for scale, bins in found.items():
            label, color, marker = LINES[scale]
            many = np.array(bins["samples"]) >= MIN_SAMPLES
            x, y = (100 * np.array(bins[k])[many] for k in ("confidence", "accuracy"))
            ax.plot(x, y, marker=marker, markersize=4, color=color, label=label)
        ax.set(title=title, xlabel="confidence (%)", xlim=(0, 102), ylim=(0, 102))
    axes[0].set_ylabel("accuracy (%)")
    handles, labels = axes[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
