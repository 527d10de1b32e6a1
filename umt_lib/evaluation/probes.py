"""Linear probes: how much of the label an encoder's features give to a linear classifier.

Multinomial logistic regression on frozen, standardised features. The accuracy of a jointly trained
encoder's probe below that of the uni-modally trained encoder is the measured laziness.

Source: Alain & Bengio, 2016; used for modality laziness by Du et al., ICML 2023, section 3.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

STRENGTHS = (0.001, 0.01, 0.1, 1.0)  # inverse regularisation C tried by cross-validation


def linear_probe(
    features: Tensor,
    y: Tensor,
    test_features: Tensor,
    test_y: Tensor,
    strength: float | None = None,
) -> float:
    """Top-1 accuracy in [0, 1] on the test features.

    Args:
        features: (n, d) with labels ``y`` (n,); test_features: (n', d) with ``test_y`` (n',).
        strength: inverse regularisation C; None chooses it by 3-fold cross-validation on the
            training features.

    >>> import torch
    >>> z, y = torch.tensor([[0.0], [1.0], [2.0], [3.0]]), torch.tensor([0, 0, 1, 1])
    >>> linear_probe(z, y, torch.tensor([[0.5], [2.5]]), torch.tensor([0, 0]), strength=1.0)
    0.5
    """
    known, truth = features.cpu().numpy().astype(np.float64), y.cpu().numpy()
    regression = LogisticRegression(C=strength or 1.0, max_iter=500, tol=1e-3)
    probe = make_pipeline(StandardScaler(), regression)
    if strength is None:
        probe = GridSearchCV(probe, {"logisticregression__C": STRENGTHS}, cv=3)
    probe.fit(known, truth)
    return float(probe.score(test_features.cpu().numpy(), test_y.cpu().numpy()))
