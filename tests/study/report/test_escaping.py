"""Whatever a results file or a params file contains, it is shown as text and never as markup."""

from __future__ import annotations

import copy
import json

import pytest
from entries import entry
from markdown_it import MarkdownIt

from umt_lib.errors import StudyError
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments import results
from umt_lib.study.pipeline.collection import Study
from umt_lib.study.report import experiment_page, format, summaries

HOSTILE = ["<script>alert(1)</script>", "{{x}}", "[x](javascript:y)", "`a|b`", "![x](//y)", "$x$"]


def rendered(markdown: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)


@pytest.mark.parametrize("text", HOSTILE)
def test_names_of_machines_and_chosen_values_are_text(text, monkeypatch):
    one = entry("watch", "joint", [0.5, 0.6], name="watch-joint", chosen={"rule": text})
    one.result.provenance.environment |= {"device": text, "commit": text}
    study = Study([one])
    monkeypatch.setattr(experiment_page, "study", lambda: study)
    for page in (
        experiment_page.about("watch-joint"),
        experiment_page.chosen("watch-joint"),
        summaries.time(study),
        format.markdown(["a"], [[format.literal(text)]]),
    ):
        html = rendered(page)
        escaped = text.replace("<", "&lt;").replace(">", "&gt;")
        assert escaped in html or escaped[:7] in html  # of a commit
        assert not any(f"<{tag}" in html for tag in ("script", "img", 'a href="java', "code>`"))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_modality_has_no_name_with_markup(text, params, tmp_path):
    hostile = copy.deepcopy(params)
    hostile["encoders"][text] = hostile["encoders"].pop("a")
    with pytest.raises(StudyError, match="encoders"):
        params_files.check(hostile, "mine.yaml")
    found = entry("watch", "joint", [0.5]).result.model_dump()
    found["measured"]["seeds"][0]["probes"] = {text: 0.5}
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(found))
    with pytest.raises(StudyError, match=r"mine\.json: not a complete results file \(measured"):
        results.load(path)
