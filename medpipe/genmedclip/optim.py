"""AdamW with no decay on vectors, under a cosine with warm-up."""

import math
from collections.abc import Iterable

import torch
from torch import nn

from medpipe.genmedclip.config import OptimConfig


def make_optimizer(model: nn.Module, config: OptimConfig) -> torch.optim.AdamW:
    """AdamW; biases, norms, scales and other vectors do not decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups,
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
    )


def learning_rate(step: int, total_steps: int, config: OptimConfig) -> float:
    """Rate of a step, from 0: a line up to the peak, then half a cosine down."""
    warmup = min(config.warmup_steps, max(total_steps - 1, 0))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    done = (step - warmup) / max(1, total_steps - warmup)
    cosine = (1 + math.cos(math.pi * min(done, 1.0))) / 2
    low = config.final_share * config.learning_rate
    return low + (config.learning_rate - low) * cosine


def take_step(
    optimizer: torch.optim.Optimizer,
    parameters: Iterable[nn.Parameter],
    rate: float,
    clip_norm: float | None,
) -> torch.Tensor:
    """Step with the gradients at hand and clear them.

    Returns:
        Norm of the gradient before clipping, on the device: reading it waits for the step.
    """
    limit = math.inf if clip_norm is None else clip_norm
    norm = nn.utils.clip_grad_norm_(list(parameters), limit)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return norm
