"""What the finished models of this machine predict for every test sample.

The test accuracies of these models are in their results already; nothing is chosen here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from umt_lib import paths
from umt_lib.data import Split
from umt_lib.errors import StudyError
from umt_lib.models.inference import outputs
from umt_lib.study.experiments import params as params_files
from umt_lib.study.experiments import provenance
from umt_lib.study.experiments.experiment import Experiment
from umt_lib.study.experiments.results import Result


class Predicted(NamedTuple):
    """The test split of one seed, with the probabilities (n, K) of its classes by one model."""

    test: Split
    classes: tuple[str, ...]
    probabilities: Tensor

    @property
    def accuracy(self) -> float:
        """Test accuracy, 0..1."""
        return float((self.probabilities.argmax(1) == self.test.y).double().mean())

    @property
    def confusion(self) -> Tensor:
        """Numbers of samples, (class, predicted class)."""
        k = len(self.classes)
        pairs = self.test.y * k + self.probabilities.argmax(1)
        return torch.bincount(pairs, minlength=k * k).view(k, k)

    def most_wrong(self, number: int) -> Tensor:
        """Positions of wrong predictions, lowest probability of the correct class first."""
        own = self.probabilities[torch.arange(len(self.test)), self.test.y]
        wrong = (self.probabilities.argmax(1) != self.test.y).nonzero()[:, 0]
        return wrong[own[wrong].argsort(stable=True)[:number]]


class _Finished(Experiment):
    """An experiment that loads its models and trains none."""

    def _fit(self, *given: Any) -> Any:
        seed = given[2]
        fix = "repeat the command of this trial"
        if (file := paths.params_dir() / f"{self.name}.yaml").exists():  # a trial has none
            fix = f"run umt run {paths.shown(file)}"
        raise StudyError(
            f"{self.name}: there is no model of seed {seed} from the code, data and teachers of "
            f"today in {self.folder}; {fix}"
        )


def predicted(result: Result, seed: int) -> Predicted:
    """The predictions of the model of one seed of a finished experiment of this machine.

    Raises:
        StudyError: the experiment has no such seed, its model or a teacher's is not on this machine
            or was made by other code or data, or its data set is not on this machine.
    """
    if seed not in (seeds := result.params["seeds"]):
        raise StudyError(f"{result.name}: there is no seed {seed}; give one of {seeds}")
    params_files.check(result.params, result.name)
    splits = provenance.splits(result.params, seed)
    experiment = _Finished(result.params, lambda _: splits)
    chosen, device = result.measured.chosen, torch.device("cpu")
    with tqdm(leave=False, disable=None) as bar:
        trained = experiment.train(seed, chosen, device, bar)
    logits = trained.method.predict(outputs(trained.model, splits.test))
    return Predicted(splits.test, splits.classes, logits.softmax(1))
