"""Methods with state of their own: a stopped run resumes as if it had not stopped."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny import Bench, method, same

from umt_lib.study.experiments.checkpoints import load_state, save_state


class Stop(Exception):
    """What kills a run in this test."""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("pmr", {"early": 0.5, "samples": 20}),
        ("mla", {}),
        ("cggm", {}),
        ("cggm", {"released": True}),
        ("reconboost", {"stage": 1, "rectify": 1}),
        ("agm", {}),
        ("dus", {}),
        ("di-mml", {"warmup": 0.5}),
        ("balanced-mmtm", {"epsilon": 0.0, "window": 2}),
        ("diagnosing-relearning", {"times": 1, "every": 0.5}),
        ("amco", {}),
        ("sustained-boosting", {"margin": 0.0}),
        ("gblend", {"super_epoch": 0}),
        ("gblend", {"super_epoch": 2}),
        ("modality-early-stopping", {"patience": 1}),
        ("inforeg", {"threshold": 0.0}),
        ("inforeg", {"released": True}),
        ("qmf", {"weight": 3.0}),
    ],
)
def test_stopped_after_any_epoch_and_resumed_is_the_same_run(name, options, tmp_path):
    bench, file = Bench(encoder="series-cnn", epochs=4, samples=50), tmp_path / "run.safetensors"
    whole, expected = bench.train(method(name, **options))
    for stop_after in (1, 2, 3):

        def save(state, stop_after=stop_after):
            if state.progress.epoch == stop_after:
                save_state(file, state, "key")
                raise Stop

        with pytest.raises(Stop):
            bench.train(method(name, **options), save=save)
        resumed, progress = bench.train(method(name, **options), state=load_state(file, "key"))
        assert same(resumed.state_dict(), whole.state_dict())
        assert replace(progress, seconds=0) == replace(expected, seconds=0)
