"""Trains GenMedCLIP by Ray Train: elastic workers, restarts, and a run that can be stopped.

Every worker runs the same loop of `medpipe.genmedclip`; the run's own store holds what a restart
needs. Ray Train brings the workers up, makes their process group and starts them anew when one is
lost or the number of them changes.
"""

import logging
import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import ray

from medpipe import logs
from medpipe.config import MedpipeConfig
from medpipe.errors import ConfigError
from medpipe.runtime.cluster import connected
from medpipe.runtime.exits import EXIT_DONE, EXIT_INTERRUPTED
from medpipe.runtime.metrics import RaySink
from medpipe.storage import ObjectStore, open_store
from medpipe.telemetry import Sink

logger = logging.getLogger(__name__)

_POLL_S = 0.5

OnStep = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class TrainingOutcome:
    """How a training run ended.

    Attributes:
        step: Steps taken in all.
        checkpoint: Key of the last checkpoint under the run's URI.
        figures: The last ones.
        finished: Whether it came to its end; else the same command goes on.
        wall_s: Seconds of this start.
    """

    step: int
    checkpoint: str
    figures: dict[str, float]
    finished: bool
    wall_s: float

    @property
    def exit_code(self) -> int:
        """Exit code of the command line: 0, or 130 (interrupted, resumable)."""
        return EXIT_DONE if self.finished else EXIT_INTERRUPTED


def train(
    config: MedpipeConfig, out: str, *, resume: bool = True, on_step: OnStep | None = None
) -> TrainingOutcome:
    """Train on a dataset until the last epoch is over, from the newest checkpoint if there is one.

    Args:
        config: All settings; `genmedclip` says what is trained on what.
        out: URI of the run: index, checkpoints, figures.
        resume: Whether a run that stands there goes on; else it is refused.
        on_step: Told the figures of every logged step.

    Raises:
        ConfigError: The data, the model or the settings do not fit together, or Ray cannot be
            reached.
        RuntimeError: Workers failed more often than `genmedclip.run.max_failures`.
    """
    began_s = time.time()
    store = _prepared(config, out, resume=resume)
    with connected(config.runtime, EXIT_INTERRUPTED, "medpipe train"):
        board = _Board.options(num_cpus=0, name=f"board-{uuid.uuid4().hex[:8]}").remote()  # type: ignore[attr-defined]
        with _stopping(board):
            fit = _Fit(config, store.uri, board)
            fit.start()
            told = _followed(fit, board, on_step)
        if fit.failure is not None:
            raise RuntimeError(f"training cannot go on: {fit.failure}") from fit.failure
        ended: dict[str, Any] | None = ray.get(board.ended.remote())
    if ended is None:
        raise RuntimeError(f"training ended without a word after {told} told steps")
    if "config_error" in ended:
        raise ConfigError(ended["config_error"])
    return TrainingOutcome(**ended, wall_s=time.time() - began_s)


class _Fit(threading.Thread):
    """Ray Train at work, in a thread that nobody waits for when this process is told to end.

    Attributes:
        failure: Why it gave up, or None.
    """

    def __init__(self, config: MedpipeConfig, out: str, board: Any) -> None:
        super().__init__(name="training", daemon=True)
        self.failure: Exception | None = None
        self._job = (config, out, board)

    def run(self) -> None:
        """Train; what is no fault of the workers' or of Ray's shows as this thread's traceback."""
        try:
            _fit(*self._job)
        except (ray.train.TrainingFailedError, ray.exceptions.RayError) as error:
            self.failure = error


def _prepared(config: MedpipeConfig, out: str, *, resume: bool) -> ObjectStore:
    """The run's store with the index in it: the dataset's version is pinned from here on."""
    from medpipe.genmedclip.checkpoints import Checkpoints
    from medpipe.genmedclip.index import build_index
    from medpipe.genmedclip.loop import INDEX

    data = config.genmedclip.data
    if data.uri is None:
        raise ConfigError("genmedclip.data.uri must name the dataset to train on")
    store = open_store(out, config.storage)
    if not resume and Checkpoints(store).latest() is not None:
        raise ConfigError(f"{out} holds a run already; give a new --out or let it resume")
    if not store.exists(INDEX):
        index = build_index(open_store(data.uri, config.storage), data)
        store.put_if_absent(INDEX, index.to_bytes())
        logger.info("training on %d rows: %s", len(index), index.domain_counts())
    return store


def _fit(config: MedpipeConfig, out: str, board: Any) -> None:
    """Have Ray Train bring the workers up; returns when they are through."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    run = config.genmedclip.run
    elastic = run.min_workers is not None and run.min_workers < run.workers
    resources = {"CPU": run.cpus} | ({"GPU": run.gpus} if run.gpus else {})
    # Ray Train's own ScalingConfig knows these two; its declared base class does not.
    scaling: dict[str, Any] = {
        "num_workers": (run.min_workers, run.workers) if elastic else run.workers,
        "elastic_resize_monitor_interval_s": run.resize_s,
    }
    trainer = TorchTrainer(
        _work,
        train_loop_config={"config": config.model_dump_json(), "out": out, "board": board},
        torch_config=TorchConfig(backend="nccl" if run.gpus else "gloo"),
        scaling_config=ScalingConfig(
            use_gpu=run.gpus > 0, resources_per_worker=resources, **scaling
        ),
        run_config=RunConfig(
            name=f"genmedclip-{Path(out).name}",
            # Ray Train's own notes; checkpoints lie in the run's store.
            storage_path=str(Path(tempfile.gettempdir(), "medpipe-ray-train")),
            failure_config=FailureConfig(max_failures=run.max_failures),
        ),
    )
    trainer.fit()


def _work(job: dict[str, Any]) -> None:
    """One worker, on whatever machine it came to."""
    import torch
    from ray.train import get_context, get_preemption_info
    from ray.train.torch import get_device

    from medpipe.genmedclip.loop import Hooks, Leave, Seat, Training

    config, board = MedpipeConfig.model_validate_json(job["config"]), job["board"]
    context = get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    logs.set_up(config.log, worker=f"train-{rank}")
    sink = RaySink()

    def on_step(step: int, figures: dict[str, float]) -> None:
        board.tell.remote(step, figures)
        export(figures, sink)

    def leaving() -> Leave:
        if get_preemption_info() is not None:  # asks all workers alike
            return Leave.SAVE
        stopped = rank == 0 and ray.get(board.stopped.remote())
        return Leave.STOP if stopped else Leave.NO

    device = get_device() if config.genmedclip.run.gpus else torch.device("cpu")
    try:
        training = Training(
            config.genmedclip,
            open_store(str(config.genmedclip.data.uri), config.storage),
            open_store(job["out"], config.storage),
            Seat(rank, world_size, device),
            Hooks(on_step, leaving),
        )
    except ConfigError as error:  # the same on every worker; another try would not mend it
        board.end.remote({"config_error": str(error)})
        return
    trained = training.run()
    if rank == 0:
        ray.get(board.end.remote(asdict(trained)))


def export(figures: dict[str, float], sink: Sink) -> None:
    """Tell a sink the figures of a step: `loss/ct` is `medpipe_train_loss_ct`."""
    for name, value in figures.items():
        sink.gauge(f"medpipe_train_{name.replace('/', '_')}", value, {})


@ray.remote
class _Board:
    """Where workers write what the driver wants to know, and read that they are to stop."""

    def __init__(self) -> None:
        self._told: list[tuple[int, dict[str, float]]] = []
        self._ended: dict[str, Any] | None = None
        self._stopped = False

    def tell(self, step: int, figures: dict[str, float]) -> None:
        """Note figures."""
        self._told.append((step, figures))

    def told(self) -> list[tuple[int, dict[str, float]]]:
        """What was told since the last time."""
        told, self._told = self._told, []
        return told

    def end(self, ended: dict[str, Any]) -> None:
        """Note how training ended."""
        self._ended = ended

    def ended(self) -> dict[str, Any] | None:
        """How training ended, or None."""
        return self._ended

    def stop(self) -> None:
        """Ask the workers to save and stop."""
        self._stopped = True

    def stopped(self) -> bool:
        """Whether they are to stop."""
        return self._stopped


def _followed(fit: _Fit, board: Any, on_step: OnStep | None) -> int:
    """Pass on what workers tell until training is done; returns how much that was."""
    count = 0
    while True:
        over = not fit.is_alive()
        for step, figures in ray.get(board.told.remote()):
            count += 1
            if on_step is not None:
                on_step(step, figures)
        if over:
            return count
        time.sleep(_POLL_S)


@contextmanager
def _stopping(board: Any) -> Iterator[None]:
    """On SIGINT or SIGTERM have the workers save and stop; a second signal ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        board.stop.remote()

    before = {s: signal.signal(s, on_signal) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
