"""What a run is worth a second: samples, share of time waited for data, share of the peak."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch
from torch.utils.flop_counter import FlopCounterMode

from medpipe.genmedclip.config import RunConfig
from medpipe.genmedclip.loader import Batch
from medpipe.genmedclip.losses import summed
from medpipe.genmedclip.models import Built
from medpipe.genmedclip.objective import Losses
from medpipe.records import Domain

_T = TypeVar("_T")
_DOMAINS = [domain.value for domain in Domain]


class Meter:
    """Sums up steps until somebody asks for figures, then starts anew.

    Sums stay on the device: a step never waits for the one before it to be over.

    Args:
        run: Peak of a device.
        world_size: Workers.
        flops: Of one sample's forward pass, or None when no MFU is wanted.
        device: Where losses lie.
    """

    def __init__(
        self,
        run: RunConfig,
        world_size: int,
        flops: float | None,
        device: torch.device | None = None,
    ) -> None:
        self._run = run
        self._world_size = world_size
        self._flops = flops
        self._device = device or torch.device("cpu")
        self._clear()

    def _clear(self) -> None:
        self._since_s = time.perf_counter()
        self._waited_s = 0.0
        self._samples = 0
        self._sums = torch.zeros(3, dtype=torch.float64, device=self._device)
        self._by_domain = torch.zeros(2, len(_DOMAINS), dtype=torch.float64, device=self._device)

    def waited(self, batches: Iterable[_T]) -> Iterator[_T]:
        """The batches, with the time that each was waited for noted."""
        source = iter(batches)
        while True:
            began_s = time.perf_counter()
            batch = next(source, None)
            self._waited_s += time.perf_counter() - began_s
            if batch is None:
                return
            yield batch

    def add(self, losses: Losses, batch: Batch) -> None:
        """Note a step; losses and batch lie on the device."""
        each = losses.contrastive.double()
        self._samples += len(batch)
        for place, part in enumerate((losses.contrastive, losses.region, losses.trace)):
            if part is not None:
                self._sums[place] += part.double().sum()
        self._by_domain[0].index_add_(0, batch.domain, each)
        self._by_domain[1].index_add_(0, batch.domain, torch.ones_like(each))

    def figures(self) -> dict[str, float]:
        """Figures since the last time, over all workers; every worker must ask."""
        count = torch.tensor(float(self._samples), device=self._device)
        sums, by_domain, samples = (
            total.cpu() for total in summed([self._sums, self._by_domain, count])
        )
        took_s = time.perf_counter() - self._since_s
        samples_a_s = float(samples) / took_s
        told = {
            "loss": float(sums[0] / samples),
            "samples_a_s": samples_a_s,
            "data_wait_share": self._waited_s / took_s,
        }
        for name, value in (("region_loss", sums[1]), ("trace_loss", sums[2])):
            if value:
                told[name] = float(value / samples)
        if self._flops is not None and self._run.peak_tflops is not None:
            peak = self._run.peak_tflops * 1e12 * self._world_size
            told["mfu"] = samples_a_s * 3 * self._flops / peak
        for number, count in enumerate(by_domain[1].tolist()):
            if count:
                told[f"loss/{_DOMAINS[number]}"] = float(by_domain[0][number]) / count
        self._clear()
        return told


def flops_a_sample(built: Built, device: torch.device) -> float:
    """Floating-point operations of one sample's way through both towers."""
    images = torch.zeros(1, 3, built.image_px, built.image_px, device=device)
    tokens = built.tokenize(["a"]).to(device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built.model.encode_image(images)
        built.model.encode_text(tokens)
    return float(counter.get_total_flops())
