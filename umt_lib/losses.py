"""Loss terms that methods add to cross-entropy: pure functions, which methods weigh and sum.

Shapes: B samples, d feature dimensions, K classes. Squared errors are in the squared units of the
features, :func:`prototype_logits` in their units, all other values in nats. A result is a scalar,
the mean over samples, unless another shape is given. Only :func:`subspace_basis` stops gradients:
elsewhere, what must not learn comes detached.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss


def feature_distillation(z: Tensor, target: Tensor) -> Tensor:
    """Mean squared error between student and teacher features (B, d), over samples and dimensions.

    Source: Romero et al., ICLR 2015 (FitNets); of uni-modal teachers: Du et al., ICML 2023 (UMT).

    >>> feature_distillation(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]]))
    tensor(2.5000)
    """
    return mse_loss(z, target)


def subspace_distillation(z: Tensor, target: Tensor, basis: Tensor) -> Tensor:
    """Squared error of features (B, d) along the columns of ``basis`` (d, r), divided by B d.

    With a whole orthonormal basis (r = d) it is :func:`feature_distillation`. Source: ours.

    >>> along_first = torch.tensor([[1.0], [0.0]])
    >>> subspace_distillation(torch.tensor([[1.0, 3.0]]), torch.tensor([[0.0, 1.0]]), along_first)
    tensor(0.5000)
    """
    gap = (z - target) @ basis
    return gap.square().sum() / z.numel()


def subspace_basis(weight: Tensor) -> Tensor:
    """Orthonormal basis (..., d, K-1) of the differences between rows of a classifier (..., K, d).

    A feature that moves across these directions changes no difference of logits.

    >>> subspace_basis(torch.tensor([[3.0, 5.0], [1.0, 5.0]])).abs().round()
    tensor([[1.],
            [0.]])
    """
    rows = weight.detach()
    rows = rows - rows.mean(-2, keepdim=True)  # what all classes share changes no prediction
    directions = torch.linalg.svd(rows, full_matrices=False).Vh
    return directions[..., : rows.shape[-2] - 1, :].mT.contiguous()


def info_nce(u: Tensor, v: Tensor, temperature: float) -> Tensor:
    """InfoNCE: cross-entropy of finding v_i for u_i among all rows of v (B, d), by inner products.

    Normalised rows are compared by their cosine. Source: van den Oord et al., 2018
    (arXiv:1807.03748).

    >>> info_nce(torch.eye(2), torch.eye(2), temperature=1.0)  # log(1 + 1/e)
    tensor(0.3133)
    """
    similarity = u @ v.T / temperature
    return cross_entropy(similarity, torch.arange(len(similarity), device=similarity.device))


def supervised_contrastive(u: Tensor, v: Tensor, y: Tensor, temperature: float) -> Tensor:
    """As :func:`info_nce`, for finding the rows of v (B, d) whose class y (B,) is that of u_i.

    A mean over the rows of that class, v_i among them. Source: Khosla et al., NeurIPS 2020.

    >>> supervised_contrastive(torch.eye(2), torch.eye(2), torch.tensor([0, 0]), temperature=1.0)
    tensor(0.8133)
    """
    similarity = u @ v.T / temperature
    same = (y[:, None] == y).float()
    return -(same * similarity.log_softmax(1)).sum(1).div(same.sum(1)).mean()


def class_means(z: Tensor, y: Tensor, previous: Tensor, momentum: float = 0.0) -> Tensor:
    """Prototypes (K, d): the mean of features z (n, d) of each class y (n,), and a moving average.

    ``previous`` prototypes have the weight ``momentum``; an absent class keeps its previous one.
    Source: Snell et al., NeurIPS 2017.

    >>> class_means(torch.tensor([[1.0, 1.0], [3.0, 5.0]]), torch.tensor([0, 0]), torch.ones(2, 2))
    tensor([[2., 3.],
            [1., 1.]])
    """
    members = torch.zeros(len(previous), len(y), dtype=z.dtype, device=z.device)
    members[y, torch.arange(len(y), device=y.device)] = 1
    count = members.sum(1, keepdim=True)
    mean = members @ z / count.clamp_min(1)
    return torch.where(count > 0, momentum * previous + (1 - momentum) * mean, previous)


def prototype_logits(z: Tensor, prototypes: Tensor) -> Tensor:
    """Logits (B, K): minus the Euclidean distance of features (B, d) from prototypes (K, d).

    Source: Fan et al., CVPR 2023 (PMR).

    >>> prototype_logits(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 0.0]]))
    tensor([[-5., -4.]])
    """
    exact = "donot_use_mm_for_euclid_dist"  # the fast way is wrong at small distances
    return -torch.cdist(z, prototypes, compute_mode=exact)


def jensen_shannon(one: Tensor, other: Tensor) -> Tensor:
    """Jensen-Shannon divergence of the predictions of two logits (B, K): from 0 to log 2.

    Source: Lin, IEEE Transactions on Information Theory, 1991.

    >>> jensen_shannon(torch.tensor([[40.0, 0.0]]), torch.tensor([[0.0, 40.0]]))  # log 2
    tensor(0.6931)
    """
    p, q = one.log_softmax(1), other.log_softmax(1)
    middle = torch.logaddexp(p, q) - torch.log(torch.tensor(2.0))
    return ((p.exp() * (p - middle)).sum(1) + (q.exp() * (q - middle)).sum(1)).mean() / 2


def entropy(log_p: Tensor, dim: int | tuple[int, ...] = -1) -> Tensor:
    """Entropy of log-probabilities, summed over ``dim``: no mean is taken, other dimensions stay.

    >>> entropy(torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log())
    tensor([0.6931, 0.3251])
    """
    return -(log_p.exp() * log_p).sum(dim)
