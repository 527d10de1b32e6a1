"""The pages as they are written: their sources have addresses, and their places follow results."""

from __future__ import annotations

import re

import pytest
import yaml

from umt_lib import paths
from umt_lib.data import DATASETS, PAIR_KINDS
from umt_lib.data.ave_features import REPOSITORY as AVE
from umt_lib.data.prepare import psb, utd_mhad, youtube8m
from umt_lib.data.ucf101_two_stream import NETWORKS
from umt_lib.study.pipeline.collection import gather

BOOK = paths.ROOT / "book"
GENERATED = {"synthetic", *PAIR_KINDS}
DOWNLOADED = {
    "datasets/psb": {psb.REPOSITORY},
    "datasets/psb224": {psb.REPOSITORY},
    "datasets/utd-mhad": {utd_mhad.REPOSITORY},
    "datasets/utd-mhad3": {utd_mhad.REPOSITORY},
    "datasets/youtube8m": {youtube8m.VIDEOS, youtube8m.LABELS},
    "laziness-released": {AVE},
    "ucf101-two-stream": {network.repository for network in NETWORKS},
}


def test_every_publication_has_an_address():
    entries = re.split(r"\n(?=@)", (BOOK / "references.bib").read_text(encoding="utf-8"))
    without = [
        entry.splitlines()[0]
        for entry in entries
        if not re.search(r"(?m)^  (url = \{https://\S+\.\S+|doi = \{10\.\d+/\S+)\},$", entry)
    ]
    assert len(entries) > 50
    assert not without


@pytest.mark.parametrize("dataset", sorted(set(DATASETS) - GENERATED))
def test_the_page_of_real_data_links_to_its_source_and_states_its_licence(dataset):
    page = (BOOK / f"datasets/{dataset}.md").read_text(encoding="utf-8")
    introduction = page.partition("\n## ")[0]
    assert re.search(r"\*\*Source:\*\*[^*]*\]\(https?://", introduction)
    assert "**Licence:**" in introduction


@pytest.mark.parametrize("page", DOWNLOADED)
def test_a_page_links_to_the_repository_at_the_commit_that_is_downloaded(page):
    text = (BOOK / f"{page}.md").read_text(encoding="utf-8")
    for repository in DOWNLOADED[page]:
        assert f"(https://github.com/{repository.name}/tree/{repository.commit})" in text


def test_the_table_of_contents_says_which_data_sets_have_been_measured():
    contents = yaml.safe_load((BOOK / "_toc.yml").read_text(encoding="utf-8"))
    listed = {
        part["caption"]: {
            chapter["file"].removeprefix("datasets/")
            for chapter in part["chapters"]
            if chapter["file"].startswith("datasets/")
        }
        for part in contents["parts"]
    }
    study = gather(paths.PARAMS, paths.PUBLISHED, None)
    measured = {entry.dataset for entry in study.entries if entry.result}
    assert listed["Data sets"] == measured | {*PAIR_KINDS}
    assert listed["Not measured yet"] == set(DATASETS) - measured - {*PAIR_KINDS}
