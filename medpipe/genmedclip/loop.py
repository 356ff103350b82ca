"""Training from an index to a checkpoint, on one worker of any number; plain torch."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from medpipe.errors import ConfigError
from medpipe.genmedclip.checkpoints import Checkpoints, State
from medpipe.genmedclip.config import GenMedClipConfig
from medpipe.genmedclip.index import Index
from medpipe.genmedclip.loader import Loader, Wanted
from medpipe.genmedclip.losses import strongest
from medpipe.genmedclip.meter import Meter, flops_a_sample
from medpipe.genmedclip.models import build, patch_grid
from medpipe.genmedclip.objective import Objective, Towers
from medpipe.genmedclip.optim import learning_rate, make_optimizer, take_step
from medpipe.genmedclip.order import Cursor, advanced, mark_of, mixed
from medpipe.genmedclip.tracking import Tracker
from medpipe.genmedclip.validation import Validation
from medpipe.storage import ObjectStore

logger = logging.getLogger(__name__)

INDEX = "index.npz"


@dataclass(frozen=True, slots=True)
class Seat:
    """This worker's place among the workers.

    Attributes:
        rank: From 0; rank 0 writes checkpoints and figures.
        world_size: Workers; above 1 `torch.distributed` is initialised.
        device: Where the model lives.
    """

    rank: int = 0
    world_size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


class Leave(IntEnum):
    """Whether training can go on where it is; a larger number is stronger."""

    NO = 0
    SAVE = 1
    STOP = 2


def _unheard(step: int, figures: dict[str, float]) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the world around training wants to know and to say.

    Attributes:
        on_step: Told on rank 0 the figures of every logged step.
        leaving: Asked on every worker at every logged step: `Leave.SAVE` when a machine is about
            to go, `Leave.STOP` when the run is to end here; the strongest answer counts for all.
    """

    on_step: Callable[[int, dict[str, float]], None] = _unheard
    leaving: Callable[[], Leave] = lambda: Leave.NO


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run came to.

    Attributes:
        step: Steps taken in all.
        checkpoint: Key of the last checkpoint in the run's store.
        figures: The last ones.
        finished: Whether it came to its end; else it was told to stop and can go on.
    """

    step: int
    checkpoint: str
    figures: dict[str, float]
    finished: bool = True


class Training:
    """One worker's part in a run.

    Args:
        config: Of the run.
        dataset: Store of the dataset.
        store: Store of the run; holds the index already.
        seat: Place among the workers.
        hooks: The world around.

    Raises:
        ConfigError: The data do not fill a batch, or the newest checkpoint is of another run.
    """

    def __init__(
        self,
        config: GenMedClipConfig,
        dataset: ObjectStore,
        store: ObjectStore,
        seat: Seat | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        torch.set_num_threads(config.run.torch_threads)
        self._config, self._hooks = config, hooks or Hooks()
        self._dataset, self._store = dataset, store
        self._seat = seat or Seat()
        self._index = Index.from_bytes(store.read(INDEX))
        self._built = build(config.model, seed=config.run.seed)
        self._built.model.to(self._seat.device).train()
        if config.run.grad_checkpointing:
            self._built.model.set_grad_checkpointing()
        self._loader = self._make_loader()
        self._total_steps = self._loader.batches_an_epoch * config.run.epochs
        self._optimizer = make_optimizer(self._built.model, config.optim)
        self._checkpoints = Checkpoints(store, config.run.keep_checkpoints)
        self._step, self._cursor = 0, Cursor(0, 0)
        self._step, self._cursor, self._key = self._resumed()
        self._leave = Leave.NO

    def run(self) -> Trained:
        """Train to the end, from the newest checkpoint where there is one."""
        config, first = self._config, self._step
        objective = self._objective()
        meter = Meter(config.run, self._seat.world_size, self._flops(), self._seat.device)
        tracker = self._tracker(first)
        figures: dict[str, float] = {}
        batches = self._loader.batches(self._cursor, config.run.epochs)
        for place, read in meter.waited(batches):
            batch = read.to(self._seat.device)
            torch.manual_seed(mixed(config.run.seed, self._step, self._seat.rank))
            meter.add(objective.backward(batch), batch)
            rate = learning_rate(self._step, self._total_steps, config.optim)
            norm = take_step(
                self._optimizer, self._built.model.parameters(), rate, config.optim.clip_norm
            )
            self._step += 1
            self._cursor = advanced(place, self._loader.batches_an_epoch)
            leave = Leave.NO
            if self._is_told():
                told = {"rate": rate, "norm": float(norm)}
                figures = {**meter.figures(), **told, **self._place(place)}
                self._tell(tracker, figures)
                leave = Leave(strongest(self._hooks.leaving(), self._seat.device))
            if self._is_kept(leave):
                self._save(tracker)
            if leave is Leave.STOP:
                break
        if tracker is not None:
            tracker.close()
        return Trained(self._step, self._key, figures, self._step == self._total_steps)

    def _make_loader(self) -> Loader:
        config = self._config
        grid = patch_grid(self._built) if config.loss.uses_places else None
        loader = Loader(
            self._dataset,
            self._index,
            config.data,
            Wanted(self._built.image_px, grid, config.loss.trace_sigma),
            self._built.tokenize,
            seed=config.run.seed,
            global_batch=config.run.global_batch,
            rank=self._seat.rank,
            world_size=self._seat.world_size,
        )
        if not loader.batches_an_epoch:
            raise ConfigError(
                f"{len(self._index.rows(held_back=False))} training rows give no batch of "
                f"{config.run.global_batch}; lower genmedclip.run.global_batch"
            )
        return loader

    def _objective(self) -> Objective:
        config = self._config
        net: nn.Module = Towers(
            self._built.model,
            places=config.loss.uses_places,
            max_logit_scale=config.loss.max_logit_scale,
        )
        if config.run.compile:
            net = torch.compile(net)  # type: ignore[assignment]
        if self._seat.world_size > 1:
            on_gpu = self._seat.device.type == "cuda"
            net = DistributedDataParallel(net, device_ids=[self._seat.device] if on_gpu else None)
        return Objective(
            net,
            config.loss,
            global_batch=config.run.global_batch,
            world_size=self._seat.world_size,
            chunk=config.run.chunk,
            autocast=torch.bfloat16 if config.run.precision == "bf16" else None,
        )

    def _resumed(self) -> tuple[int, Cursor, str]:
        """Where to go on; model and optimiser are filled from the newest checkpoint."""
        key = self._checkpoints.latest()
        if key is None:
            return self._step, self._cursor, ""
        saved, now = self._checkpoints.state(key), self._state()
        if saved.lineage() != now.lineage():
            raise ConfigError(
                f"{self._store.uri} holds a run of another making (its {saved.differs(now)} "
                "differs); give a new --out, or the settings it was begun with"
            )
        self._checkpoints.restore(key, self._built.model, self._optimizer)
        logger.info("going on from %s, step %d of %d", key, saved.step, self._total_steps)
        return saved.step, saved.cursor, key

    def _state(self) -> State:
        return State(
            step=self._step,
            epoch=self._cursor.epoch,
            batch=self._cursor.batch,
            dataset=self._dataset.uri,
            dataset_version=self._index.version,
            dataset_fingerprint=self._index.fingerprint,
            config=self._config,
        )

    def _is_told(self) -> bool:
        return (
            self._step % self._config.run.log_steps == 0
            or self._step == self._total_steps
            or self._cursor.batch == 0
        )

    def _is_kept(self, leave: Leave) -> bool:
        """Whether a checkpoint is due; one is enough while a machine is about to go."""
        warned = leave is not Leave.NO and leave is not self._leave
        self._leave = leave
        return (
            warned
            or self._step % self._config.run.checkpoint_steps == 0
            or self._step == self._total_steps
        )

    def _place(self, place: Cursor) -> dict[str, float]:
        """Where a figure belongs: epoch, and a mark of the global batch's rows."""
        rows = self._loader.global_rows(place)
        return {
            "epoch": place.epoch + (place.batch + 1) / self._loader.batches_an_epoch,
            "workers": float(self._seat.world_size),
            "batch_mark": float(mark_of(rows)),
            "scale": float(self._built.model.logit_scale.detach().exp()),
        }

    def _tell(self, tracker: Tracker | None, figures: dict[str, float]) -> None:
        if tracker is None:
            return
        if self._cursor.batch == 0:
            device = self._seat.device
            figures |= Validation(self._loader, self._index, self._built, device).figures()
        tracker.log(self._step, figures)
        self._hooks.on_step(self._step, figures)

    def _tracker(self, step: int) -> Tracker | None:
        if self._seat.rank != 0:
            return None
        return Tracker(self._store, self._state().model_dump(mode="json"), step)

    def _save(self, tracker: Tracker | None) -> None:
        if tracker is None:
            return
        self._key = self._checkpoints.save(self._built, self._optimizer, self._state())
        tracker.flush()

    def _flops(self) -> float | None:
        if self._config.run.peak_tflops is None or self._seat.rank != 0:
            return None
        return flops_a_sample(self._built, self._seat.device)
