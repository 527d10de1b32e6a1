"""Linear probes: the accuracy of a linear classifier on the frozen features of an encoder.

The classifier is multinomial logistic regression on standardised features. Modality laziness is
measured as the accuracy of a probe of the jointly trained encoder minus that of a probe of the
uni-modally trained one: a lazy encoder is below 0.

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
    """Top-1 accuracy in [0, 1] on test features of a linear classifier trained on features.

    Args:
        features: (n, d) with labels ``y`` (n,); test_features: (n', d) with ``test_y`` (n',).
        strength: inverse regularisation C; None chooses it by 3-fold cross-validation on the
            training features.

    >>> import torch
    >>> features, y = torch.tensor([[0.0], [1.0]] * 10), torch.tensor([0, 1] * 10)
    >>> linear_probe(features, y, features, y, strength=1.0)
    1.0
    """
    known, truth = features.cpu().numpy().astype(np.float64), y.cpu().numpy()
    regression = LogisticRegression(C=strength or 1.0, max_iter=500, tol=1e-3)
    probe = make_pipeline(StandardScaler(), regression)
    if strength is None:
        probe = GridSearchCV(probe, {"logisticregression__C": STRENGTHS}, cv=3)
    probe.fit(known, truth)
    return float(probe.score(test_features.cpu().numpy(), test_y.cpu().numpy()))
