"""Several processes, one training: every method sees whole batches, each process encodes a share.

    torchrun --nproc-per-node 4 -m umt_lib run params/vggsound-umt.yaml

Every process loads and encodes its share of a batch's rows; the features are gathered, so head,
losses and whatever a method looks at are those of the whole batch in every process. Backward, a
process gets the gradient of its own rows, and encoder gradients are summed over processes as they
appear. So the result is that of one process up to the order of sums, also for methods that change
gradients by statistics of the batch: each process of DDP would see statistics of its own share.
Random numbers of methods agree, because all processes share the seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn


def world() -> tuple[int, int]:
    """(rank, number of processes); (0, 1) for an ordinary run."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def first() -> bool:
    """Whether this process writes files and shows progress."""
    return world()[0] == 0


@contextmanager
def group() -> Iterator[None]:
    """The processes torchrun started, for as long as the block runs; else nothing."""
    if "LOCAL_RANK" not in os.environ:
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def wait() -> None:
    """Until every process is here."""
    if dist.is_initialized():
        dist.barrier()


def share(rows: Tensor | slice) -> Tensor | slice:
    """This process's part of ``rows``: consecutive, as even as they go."""
    rank, size = world()
    if size == 1:
        return rows
    if isinstance(rows, slice):
        rows = torch.arange(rows.start, rows.stop)
    return rows.tensor_split(size)[rank]


def gather(z: Tensor) -> Tensor:
    """Features (B_r, d) of this process's share -> those of the whole batch (B, d)."""
    return z if world()[1] == 1 else _Gather.apply(z)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(context, z: Tensor) -> Tensor:
        rank, size = world()
        counts = [torch.zeros(1, dtype=torch.long, device=z.device) for _ in range(size)]
        dist.all_gather(counts, torch.tensor([len(z)], device=z.device))
        rows = [int(count) for count in counts]
        padded = z.new_zeros(max(rows), *z.shape[1:])
        padded[: len(z)] = z
        parts = [torch.empty_like(padded) for _ in range(size)]
        dist.all_gather(parts, padded)
        context.own = slice(sum(rows[:rank]), sum(rows[: rank + 1]))
        return torch.cat([part[:n] for part, n in zip(parts, rows, strict=True)])

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return gradient[context.own]


def connect(model: nn.Module) -> nn.Module:
    """Make gradients of ``model``'s encoders sums over processes; returns the model to train."""
    if world()[1] == 1:
        return model
    if next(model.parameters()).is_cuda:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for name, parameter in model.named_parameters():
        if "encoders." in name and parameter.requires_grad:
            parameter.register_hook(_summed)
    agree(model)
    return model


def agree(model: nn.Module) -> None:
    """Give every process the first one's parameters and buffers."""
    if world()[1] > 1:
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)


def _summed(gradient: Tensor) -> Tensor:
    gradient = gradient.contiguous()
    dist.all_reduce(gradient)
    return gradient
