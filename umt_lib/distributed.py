"""Train on several processes: every method sees whole batches, each process encodes a shard.

    torchrun --nproc-per-node 4 -m umt_lib run params/vggsound-umt.yaml

Each process loads and encodes its shard of a batch's rows. The features are all-gathered, so the
head, the losses and the statistics that a method computes are those of the whole batch in every
process. In the backward pass a process gets the gradient of its own rows, and encoder gradients are
summed over the processes. So the result is that of one process up to the order of sums, also for
methods that change gradients by statistics of the batch: in DistributedDataParallel each process
would compute those statistics from its own shard. Random numbers that methods draw are the same in
all processes, because all processes share the seed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import overload

import torch
import torch.distributed as dist
from torch import Tensor, nn


def rank_and_size() -> tuple[int, int]:
    """(rank, number of processes); (0, 1) without torchrun."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def is_main() -> bool:
    """Whether this is the process of rank 0, which writes files and shows progress."""
    return rank_and_size()[0] == 0


@contextmanager
def process_group() -> Iterator[None]:
    """Initialise torch's default process group for the block; does nothing without torchrun."""
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


def barrier() -> None:
    """Wait until every process has reached this call."""
    if dist.is_initialized():
        dist.barrier()


@overload
def shard(rows: Tensor) -> Tensor: ...
@overload
def shard(rows: slice) -> Tensor | slice: ...
def shard(rows: Tensor | slice) -> Tensor | slice:
    """Return this process's shard of ``rows``: consecutive rows, shards as equal as possible."""
    rank, size = rank_and_size()
    if size == 1:
        return rows
    if isinstance(rows, slice):
        rows = torch.arange(rows.start, rows.stop)
    return rows.tensor_split(size)[rank]


def all_gather(z: Tensor) -> Tensor:
    """Concatenate the features (B_r, d) of all shards to (B, d), differentiably."""
    return z if rank_and_size()[1] == 1 else _AllGather.apply(z)


class _AllGather(torch.autograd.Function):
    """All-gather of shards of different lengths; backward returns the gradient of the own rows."""

    @staticmethod
    def forward(context, z: Tensor) -> Tensor:
        rank, size = rank_and_size()
        counts = [torch.zeros(1, dtype=torch.long, device=z.device) for _ in range(size)]
        dist.all_gather(counts, torch.tensor([len(z)], device=z.device))
        rows = [int(count) for count in counts]
        padded = z.new_zeros(max(rows), *z.shape[1:])
        padded[: len(z)] = z
        parts = [torch.empty_like(padded) for _ in range(size)]
        dist.all_gather(parts, padded)
        context.own_rows = slice(sum(rows[:rank]), sum(rows[: rank + 1]))
        return torch.cat([part[:n] for part, n in zip(parts, rows, strict=True)])

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        return gradient[context.own_rows]


def prepare_model(model: nn.Module) -> nn.Module:
    """Synchronise ``model`` over the processes and return the model to train.

    Gradients of the encoders become sums over processes, batch normalisation on GPUs uses the
    statistics of the whole batch, and every process gets the parameters of rank 0.
    """
    if rank_and_size()[1] == 1:
        return model
    if next(model.parameters()).is_cuda:
        model = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for name, parameter in model.named_parameters():
        if "encoders." in name and parameter.requires_grad:
            parameter.register_hook(_all_reduce)
    broadcast_state(model)
    return model


def broadcast_state(model: nn.Module) -> None:
    """Copy the parameters and buffers of rank 0 to every process, in place."""
    if rank_and_size()[1] > 1:
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, src=0)


def _all_reduce(gradient: Tensor) -> Tensor:
    gradient = gradient.contiguous()
    dist.all_reduce(gradient)
    return gradient
