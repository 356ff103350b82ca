"""Starts, feeds and ends the actors; each belongs to the driver, which alone replaces them."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.actor import ActorHandle

from medpipe.config import MedpipeConfig
from medpipe.runtime.head import HeadLost
from medpipe.runtime.nodes import Wish
from medpipe.runtime.workers import ExtractWorker, TranscribeWorker, WriteWorker

Ref = ray.ObjectRef[Any]

# Calls of these groups run beside a worker's step: fetching the next file, serving sound,
# cutting clips, and showing that it lives (one call for good, one for what must not wait).
_GROUPS = {"fetch": 1, "sound": 2, "clips": 1, "life": 2}

_LEAVE_S = 2.0


@dataclass(frozen=True, slots=True)
class Kind:
    """The workers of a pool.

    Attributes:
        worker: Class, built with a worker's name, the config and the dataset's URI. It has `open`
            (returns its node), `close`, `ping`, `life` (never returns, in the group of that name),
            `leave` (ends the process) and `drop`, beside the methods of its steps.
        cpus: What one of them asks of its node.
        gpus: The same.
        labels: What its node's labels must be, as Ray's label selectors.
    """

    worker: type
    cpus: float = 1.0
    gpus: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def wish(self) -> Wish:
        """What one of them asks of its node."""
        return Wish(self.cpus, self.gpus, self.labels)


def video_kinds(config: MedpipeConfig) -> dict[str, Kind]:
    """The pools of the video walk: who holds files, who a model, and who the store."""
    own = config.runtime
    return {
        "extract": Kind(ExtractWorker, own.extract_cpus, 0.0, own.extract_labels),
        "transcribe": Kind(
            TranscribeWorker, own.transcribe_cpus, own.transcribe_gpus, own.transcribe_labels
        ),
        "write": Kind(WriteWorker, own.write_cpus, 0.0, own.write_labels),
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
            A reference that resolves to the id of its node once it is open, and one that never
            resolves and fails when the actor dies.

        Raises:
            HeadLost: Ray's head does not take the order, e.g. because it has forgotten this job.
        """
        kind = self._kinds[pool]
        options_of_class: dict[str, Any] = {"concurrency_groups": _GROUPS}
        actor_class: Any = ray.remote(**options_of_class)(kind.worker)
        ordered = actor_class.options(
            name=f"{worker}-{self._run_id[:8]}",
            namespace="medpipe",
            max_restarts=0,
            max_task_retries=0,
            num_cpus=kind.cpus,
            num_gpus=kind.gpus,
            label_selector=dict(kind.labels) or None,
        )
        try:
            actor = ordered.remote(worker, self._config, self._out)
        except ray.exceptions.RayError as error:
            raise HeadLost(f"Ray's head starts no worker for this job any more: {error}") from error
        self._actors[worker] = actor
        opened, life = (
            getattr(actor, call).options(name=f"{call}[{worker}]").remote()
            for call in ("open", "life")
        )
        return opened, life

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
        """End every worker; each is told itself, because Ray ends none without its head."""
        told: list[Any] = [actor.leave.remote() for actor in self._actors.values()]
        if told:
            ray.wait(told, num_returns=len(told), timeout=_LEAVE_S, fetch_local=False)
        for worker in list(self._actors):
            self.end(worker)
