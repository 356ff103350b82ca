"""One step's loss and gradient: all at once, or chunk by chunk with exact cached gradients.

Adding up the losses of small batches is not the loss of a large one: every pair is a negative of
every other. The gradient cache embeds chunk by chunk without a graph, takes the loss's gradient
with respect to the embeddings, and runs each chunk again with a graph to pass it on.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from medpipe.genmedclip.config import LossConfig
from medpipe.genmedclip.grounding import pooled, trace_divergence
from medpipe.genmedclip.loader import Batch
from medpipe.genmedclip.losses import chosen_keys, contrast, summed
from medpipe.genmedclip.models import normalise, towers

_SCALARS = 2  # the first outputs of `Towers`: logit scale and bias; rows follow


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """What a step cost, over this worker's rows.

    Attributes:
        contrastive: (b,) of picture against caption.
        region: (b,) of box against phrase, or None.
        trace: (b,) of heat map against trace, or None.
    """

    contrastive: Tensor
    region: Tensor | None = None
    trace: Tensor | None = None


class Towers(nn.Module):
    """Both towers in one forward, as data-parallel training and compilation want it."""

    def __init__(self, model: Any, *, places: bool, max_logit_scale: float) -> None:
        super().__init__()
        self.model = model
        self._places = places
        self._max_logit_scale = max_logit_scale

    def forward(
        self,
        images: Tensor,
        tokens: Tensor,
        phrases: Tensor | None,
        boxes: Tensor | None,
        density: Tensor | None,
    ) -> tuple[Tensor, ...]:
        """Embed a batch.

        Returns:
            Scale, bias, and by row: unit features of pictures and captions; with places also unit
            features of regions and phrases, and the traces' divergence.
        """
        scale = self.model.logit_scale.exp().clamp(max=self._max_logit_scale)
        bias = getattr(self.model, "logit_bias", None)
        bias = torch.zeros_like(scale) if bias is None else bias
        pixels = normalise(images)
        texts = self.model.encode_text(tokens, normalize=True)
        if not self._places or phrases is None or boxes is None or density is None:
            return scale, bias, self.model.encode_image(pixels, normalize=True), texts
        features, patches = towers(self.model, pixels)
        said = self.model.encode_text(phrases, normalize=True)
        region = functional.normalize(pooled(patches, boxes), dim=-1)
        divergence = trace_divergence(patches, said, density, scale.detach())
        return scale, bias, functional.normalize(features, dim=-1), texts, region, said, divergence


class Objective:
    """Computes gradients of a global batch's loss from this worker's part of it.

    Args:
        net: `Towers`, perhaps wrapped for data-parallel training or compiled.
        config: Loss.
        global_batch: Samples over all workers.
        world_size: Workers.
        chunk: Most samples with activations at a time; None: all.
        autocast: Type of activations, or None for float32.
    """

    def __init__(
        self,
        net: nn.Module,
        config: LossConfig,
        *,
        global_batch: int,
        world_size: int = 1,
        chunk: int | None = None,
        autocast: torch.dtype | None = None,
    ) -> None:
        self._net = net
        self._config = config
        self._global_batch = global_batch
        self._world_size = world_size
        self._chunk = chunk
        self._autocast = autocast

    def backward(self, batch: Batch) -> Losses:
        """Add the gradient of this batch to the parameters' `.grad`, averaged over workers."""
        if self._chunk is None or self._chunk >= len(batch):
            outputs = self._forward(batch)
            total, losses = self._loss(outputs, batch)
            total.backward()  # type: ignore[no-untyped-call]
            return losses
        return self._backward_in_chunks(batch, self._chunk)

    def evaluate(self, batch: Batch) -> Losses:
        """Losses without a gradient."""
        with torch.no_grad():
            return self._loss(self._forward(batch), batch)[1]

    def _backward_in_chunks(self, batch: Batch, size: int) -> Losses:
        starts = range(0, len(batch), size)
        parts = [batch.part(start, start + size) for start in starts]
        states = []
        seen = []
        with torch.no_grad():
            for part in parts:
                states.append(_random_state(part))
                seen.append(self._forward(part))
        by_row = zip(*(one[_SCALARS:] for one in seen), strict=True)
        columns = [*seen[0][:_SCALARS], *(torch.cat(column) for column in by_row)]
        leaves = tuple(column.detach().requires_grad_() for column in columns)
        total, losses = self._loss(leaves, batch)
        total.backward()  # type: ignore[no-untyped-call]
        for start, part, state in zip(starts, parts, states, strict=True):
            last = start == starts[-1]
            with nullcontext() if last else self._no_sync():
                _set_random_state(part, state)
                surrogate = _surrogate(self._forward(part), leaves, start, scalars=last)
                surrogate.backward()  # type: ignore[no-untyped-call]
        return losses

    def _no_sync(self) -> AbstractContextManager[None]:
        """Keep a data-parallel wrapper from averaging before the last chunk."""
        if isinstance(self._net, DistributedDataParallel):
            return self._net.no_sync()
        return nullcontext()

    def _forward(self, batch: Batch) -> tuple[Tensor, ...]:
        kind = batch.images.device.type
        with torch.autocast(kind, self._autocast, enabled=self._autocast is not None):
            outputs: tuple[Tensor, ...] = self._net(
                batch.images, batch.tokens, batch.phrases, batch.boxes, batch.density
            )
        return outputs

    def _loss(self, outputs: tuple[Tensor, ...], batch: Batch) -> tuple[Tensor, Losses]:
        """The part of the global loss that is this worker's, times the number of workers."""
        config = self._config
        scale, bias, images, texts = outputs[:4]
        keys = chosen_keys(batch.keys, config)
        contrastive = contrast(images, texts, scale, bias=bias, keys=keys, kind=config.kind)
        share = self._world_size / self._global_batch
        total = contrastive.sum() * share + 0 * bias.sum()
        if len(outputs) == 4:
            return total, Losses(contrastive.detach())
        region, said, divergence = outputs[4:]
        pointed, phrase_keys, density = _given(batch)
        keys = chosen_keys(phrase_keys, config)
        regional = contrast(
            region, said, scale, bias=bias, keys=keys, kind=config.kind, valid=pointed
        )
        traced = pointed & (density.sum(dim=(1, 2)) > 0)
        divergence = divergence * traced
        counts = [n.clamp_min(1) for n in summed([pointed.sum(), traced.sum()])]
        total = total + config.region_weight * regional.sum() * self._world_size / counts[0]
        total = total + config.trace_weight * divergence.sum() * self._world_size / counts[1]
        return total, Losses(contrastive.detach(), regional.detach(), divergence.detach())


def _given(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    if batch.pointed is None or batch.phrase_keys is None or batch.density is None:
        raise ValueError("places are learned from, but the batch has none")
    return batch.pointed, batch.phrase_keys, batch.density


def _surrogate(
    outputs: tuple[Tensor, ...], leaves: tuple[Tensor, ...], start: int, *, scalars: bool
) -> Tensor:
    """A number whose gradient is the loss's, given the gradients at the cached features."""
    total = outputs[0].new_zeros(())
    for place, (output, leaf) in enumerate(zip(outputs, leaves, strict=True)):
        grad = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad
        if place < _SCALARS:
            total = total + (output * (grad if scalars else 0)).sum()
        else:
            total = total + (output.float() * grad[start : start + len(output)]).sum()
    return total


def _random_state(batch: Batch) -> tuple[Tensor, Tensor | None]:
    """What dropout of a chunk will draw from."""
    device = batch.images.device
    on_device = torch.cuda.get_rng_state(device) if device.type == "cuda" else None
    return torch.get_rng_state(), on_device


def _set_random_state(batch: Batch, state: tuple[Tensor, Tensor | None]) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], batch.images.device)
