"""Contrastive losses over the gathered batch, blind to pairs that are duplicates of each other."""

from collections.abc import Sequence

import torch
from torch import Tensor, distributed
from torch.nn import functional

from medpipe.genmedclip.config import LossConfig

_KEYS = ("video", "clip", "caption")


def gathered(local: Tensor) -> Tensor:
    """The rows of all workers in order of rank; gradients flow back to the workers' own."""
    if _world_size() == 1:
        return local
    from torch.distributed._functional_collectives import all_gather_tensor_autograd

    group = distributed.distributed_c10d._get_default_group()
    everyone: Tensor = all_gather_tensor_autograd(local.contiguous(), 0, group)
    return everyone


def gathered_keys(local: Tensor) -> Tensor:
    """As `gathered`, for whole numbers."""
    if _world_size() == 1:
        return local
    parts = [torch.empty_like(local) for _ in range(_world_size())]
    distributed.all_gather(parts, local.contiguous())
    return torch.cat(parts)


def contrast(
    left: Tensor,
    right: Tensor,
    scale: Tensor,
    *,
    bias: Tensor | None = None,
    keys: Tensor | None = None,
    kind: str = "clip",
    valid: Tensor | None = None,
) -> Tensor:
    """Loss of this worker's pairs against all pairs of all workers; (b,), float32.

    The mean over all workers of the sum of it, divided by the pairs that count, is the loss of the
    global batch. Gradients of gathered features flow back, so averaging gradients over workers
    gives exactly those of one process.

    Args:
        left: (b, d) unit vectors.
        right: (b, d) unit vectors; row i belongs to row i of `left`.
        scale: Logit scale, not its logarithm.
        bias: Logit bias (sigmoid only).
        keys: (b, k) int64; pairs with an equal number in a column are no negatives.
        kind: `clip` or `siglip`.
        valid: (b,) bool, rows that count; None: all.

    Returns:
        Loss by row; zero for rows that do not count.
    """
    all_left, all_right = gathered(left), gathered(right)
    own = torch.arange(len(left), device=left.device) + _rank() * len(left)
    blind = _blind(keys, valid, own)
    with torch.autocast(left.device.type, enabled=False):
        to_right = scale * left.float() @ all_right.float().T
        to_left = scale * right.float() @ all_left.float().T
        if kind == "siglip":
            loss = _sigmoid(to_right, bias, blind, own)
        else:
            a = functional.cross_entropy(_masked(to_right, blind), own, reduction="none")
            b = functional.cross_entropy(_masked(to_left, blind), own, reduction="none")
            loss = (a + b) / 2
    return loss if valid is None else loss * valid


def chosen_keys(keys: Tensor, config: LossConfig) -> Tensor | None:
    """The columns of (b, 3) keys by which duplicates are told, or None."""
    columns = [_KEYS.index(name) for name in config.mask_duplicates]
    return keys[:, columns] if columns else None


def _blind(keys: Tensor | None, valid: Tensor | None, own: Tensor) -> Tensor | None:
    """(b, all) bool: pairs that are neither positives nor negatives."""
    blind = None
    if keys is not None:
        everyone = gathered_keys(keys)
        blind = (keys[:, None, :] == everyone[None, :, :]).any(dim=-1)
    if valid is not None:
        absent = ~gathered_keys(valid.to(torch.int64)).bool()[None, :]
        absent = absent.expand(len(own), -1)
        blind = absent if blind is None else blind | absent
    if blind is not None:
        blind = blind.clone()
        blind[torch.arange(len(own), device=own.device), own] = False
    return blind


def _masked(logits: Tensor, blind: Tensor | None) -> Tensor:
    return logits if blind is None else logits.masked_fill(blind, -torch.inf)


def _sigmoid(logits: Tensor, bias: Tensor | None, blind: Tensor | None, own: Tensor) -> Tensor:
    """SigLIP's pairwise loss, summed over a row."""
    logits = logits if bias is None else logits + bias
    sign = -torch.ones_like(logits)
    sign[torch.arange(len(own), device=own.device), own] = 1
    each = -functional.logsigmoid(sign * logits)
    return (each if blind is None else each.masked_fill(blind, 0)).sum(dim=1)


def summed(values: Sequence[Tensor]) -> list[Tensor]:
    """Each value summed over all workers, without gradients, on the CPU's or its own device."""
    if _world_size() == 1:
        return [value.detach() for value in values]
    flat = torch.cat([value.detach().double().flatten() for value in values])
    distributed.all_reduce(flat)
    parts = torch.split(flat, [value.numel() for value in values])
    return [part.view_as(value) for part, value in zip(parts, values, strict=True)]


def strongest(value: int, device: torch.device) -> int:
    """The largest of the values that the workers give."""
    if _world_size() == 1:
        return int(value)
    largest = torch.tensor(int(value), device=device)
    distributed.all_reduce(largest, op=distributed.ReduceOp.MAX)
    return int(largest)


def _world_size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _rank() -> int:
    return distributed.get_rank() if distributed.is_initialized() else 0
