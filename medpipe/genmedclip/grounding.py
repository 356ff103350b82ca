"""Learning from where the pointer was: regions against phrases, heat maps against traces."""

import torch
from torch import Tensor
from torch.nn import functional


def pooled(patches: Tensor, boxes: Tensor) -> Tensor:
    """Mean of the patches under a box, each by the share of it that the box covers.

    Args:
        patches: (b, rows, columns, d).
        boxes: (b, 4) xyxy shares of the picture; sides must not be zero.

    Returns:
        (b, d).
    """
    rows, columns = patches.shape[1:3]
    across = _covered(boxes[:, 0], boxes[:, 2], columns)
    down = _covered(boxes[:, 1], boxes[:, 3], rows)
    weights = down[:, :, None] * across[:, None, :]
    weights = weights / weights.sum(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    return torch.einsum("bhw,bhwd->bd", weights.to(patches.dtype), patches)


def _covered(low: Tensor, high: Tensor, cells: int) -> Tensor:
    """(b, cells): share of each of the cells of a side that lies between low and high."""
    edges = torch.arange(cells + 1, device=low.device, dtype=low.dtype) / cells
    start = torch.maximum(low[:, None], edges[None, :-1])
    stop = torch.minimum(high[:, None], edges[None, 1:])
    return (stop - start).clamp_min(0) * cells


def trace_divergence(patches: Tensor, phrases: Tensor, density: Tensor, scale: Tensor) -> Tensor:
    """How far the phrase's heat map is from where the pointer dwelt while it was said.

    Args:
        patches: (b, rows, columns, d).
        phrases: (b, d) unit vectors.
        density: (b, rows, columns) that sums to 1, or to 0 without a trace.
        scale: Of the heat map's logits.

    Returns:
        (b,) Kullback-Leibler divergence in nats, float32; 0 where there is no trace.
    """
    with torch.autocast(patches.device.type, enabled=False):
        unit = functional.normalize(patches.float(), dim=-1)
        logits = scale * torch.einsum("bhwd,bd->bhw", unit, phrases.float())
        heat = logits.flatten(1).log_softmax(dim=1)
        wanted = density.flatten(1).float()
        known = torch.xlogy(wanted, wanted).sum(dim=1)
        return known - (wanted * heat).sum(dim=1)
