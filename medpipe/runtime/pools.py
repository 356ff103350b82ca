"""Starts, feeds and ends the actors; each belongs to the driver, which alone replaces them."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import ray
from ray.actor import ActorHandle

from medpipe.config import MedpipeConfig
from medpipe.runtime.workers import ExtractWorker, TranscribeWorker, WriteWorker

Ref = ray.ObjectRef[Any]

# Calls of these groups run beside a worker's step: fetching the next file, serving sound, and
# showing that it lives (one call for good, one for what must not wait).
_GROUPS = {"fetch": 1, "sound": 2, "life": 2}


@dataclass(frozen=True, slots=True)
class Kind:
    """The workers of a pool.

    Attributes:
        worker: Class, built with a worker's name, the config and the dataset's URI. It has `open`
            (returns its node), `close`, `ping`, `life` (never returns, in the group of that name)
            and `drop`, beside the methods of its steps.
        cpus: What one of them asks of the cluster.
        gpus: The same.
    """

    worker: type
    cpus: float = 1.0
    gpus: float = 0.0


def video_kinds(config: MedpipeConfig) -> dict[str, Kind]:
    """The pools of the video walk: who holds files, who a model, and who the store."""
    runtime = config.runtime
    return {
        "extract": Kind(ExtractWorker, runtime.extract_cpus),
        "transcribe": Kind(TranscribeWorker, runtime.transcribe_cpus, runtime.transcribe_gpus),
        "write": Kind(WriteWorker, runtime.write_cpus),
    }


def pool_sizes(config: MedpipeConfig) -> dict[str, int]:
    """Most workers of each pool: as configured, else by the CPUs and GPUs of the cluster now."""
    have: Mapping[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    runtime = config.runtime
    cpus = max(1, int(have.get("CPU", 1)))
    if runtime.transcribe_gpus:
        listeners = max(1, int(have.get("GPU", 0) / runtime.transcribe_gpus))
    else:
        listeners = max(1, cpus // 3)
    return {
        "extract": runtime.extract_workers or max(1, cpus // 2),
        "transcribe": runtime.transcribe_workers or listeners,
        "write": runtime.write_workers or max(1, cpus // 8),
    }


class Pools:
    """The live actors by name.

    Args:
        config: Handed to every worker.
        out: URI of the dataset, too.
        run_id: Makes the actors' names this run's own.
        kinds: Of workers, by pool; those of the video walk if None.
    """

    def __init__(
        self,
        config: MedpipeConfig,
        out: str,
        run_id: str,
        kinds: Mapping[str, Kind] | None = None,
    ) -> None:
        self._config = config
        self._kinds = video_kinds(config) if kinds is None else kinds
        self._out = out
        self._run_id = run_id
        self._actors: dict[str, ActorHandle[Any]] = {}

    def start(self, pool: str, worker: str) -> tuple[Ref, Ref]:
        """Ask for an actor.

        Returns:
            A reference that resolves to its process id once it is open, and one that never
            resolves and fails when the actor dies.
        """
        kind = self._kinds[pool]
        options_of_class: dict[str, Any] = {"concurrency_groups": _GROUPS}
        actor_class: Any = ray.remote(**options_of_class)(kind.worker)
        actor = actor_class.options(
            name=f"{worker}-{self._run_id[:8]}",
            namespace="medpipe",
            max_restarts=0,
            max_task_retries=0,
            num_cpus=kind.cpus,
            num_gpus=kind.gpus,
        ).remote(worker, self._config, self._out)
        self._actors[worker] = actor
        return actor.open.remote(), actor.life.remote()

    def actor(self, worker: str) -> ActorHandle[Any] | None:
        """The handle of a worker that was started and not ended."""
        return self._actors.get(worker)

    def end(self, worker: str) -> None:
        """End a worker, whether idle, hanging or dead."""
        actor = self._actors.pop(worker, None)
        if actor is not None:
            with suppress(ray.exceptions.RayError):
                ray.kill(actor, no_restart=True)

    def stop(self, worker: str) -> None:
        """Let an idle worker clean up, then end it."""
        actor = self._actors.get(worker)
        if actor is not None:
            with suppress(ray.exceptions.RayError, ray.exceptions.GetTimeoutError):
                ray.get(actor.close.remote(), timeout=5)
        self.end(worker)

    def end_all(self) -> None:
        """End every worker."""
        for worker in list(self._actors):
            self.end(worker)
