"""What ``umt new`` wrote has been filled in."""

import pytest

from umt_lib.paths import ROOT
from umt_lib.study.pipeline.new_files import left


def test_nothing_is_left_to_fill_in():
    if places := left(ROOT):
        pytest.fail("\n".join(["to be filled in:", *places]), pytrace=False)
