"""Files of the book beside its pages: the interactive map, and all results to download."""

from __future__ import annotations

from pathlib import Path

import plotly.offline

from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import regime_map_figures, regime_map_text

FOLDER = "extra"  # of the book


def write(study: Study, folder: Path) -> None:
    """Write them into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    study.frame.to_csv(folder / "results.csv", index=False, lineterminator="\n")
    study.frame.to_parquet(folder / "results.parquet", index=False)
    if maps := regime_map_text.ordered([entry.result.measured for entry in study.analysed("map")]):
        (folder / "plotly.min.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
        html = regime_map_figures.interactive(maps).to_html(
            include_plotlyjs="plotly.min.js",
            div_id="map",
            config={"displaylogo": False, "responsive": True},
        )
        html = html.replace("<html>", '<html lang="en">', 1)
        (folder / "map.html").write_text(html, encoding="utf-8")
