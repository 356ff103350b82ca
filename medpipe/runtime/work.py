"""What a job does with an item: its walk, and the calls on workers that make its steps.

The driver knows no step by name; it takes one of these. `VideoWork` is medpipe's own, others are
for benchmarks and tests.
"""

from collections.abc import Callable
from typing import Any, Protocol

from ray.actor import ActorHandle

from medpipe.pipeline import RECORD_REJECTION, VIDEO_WALK, Ticket
from medpipe.records import Drop
from medpipe.runtime.flights import Flight
from medpipe.runtime.pools import Ref
from medpipe.scheduling import Failure, RunStep, Step
from medpipe.telemetry import Timings

ActorOf = Callable[[str], ActorHandle[Any] | None]


class Work(Protocol):
    """A walk, and how its steps are carried out."""

    @property
    def walk(self) -> tuple[Step, ...]:
        """The steps of an item, in order."""

    @property
    def record(self) -> Step:
        """The step that records a rejection."""

    def begin(self, run: RunStep, flight: Flight, actor: Any, actor_of: ActorOf) -> Ref:
        """Call a step's method on its worker, named for the dashboard.

        Args:
            run: Which step.
            flight: What earlier steps gave.
            actor: The worker.
            actor_of: Other workers by name.
        """

    def keep(self, flight: Flight, step: str, worker: str, value: Any) -> tuple[float | None, int]:
        """Keep what a step gave; returns seconds and bytes of media once they are known."""


class VideoWork:
    """The walk of a video."""

    walk = VIDEO_WALK
    record = RECORD_REJECTION

    def begin(self, run: RunStep, flight: Flight, actor: Any, actor_of: ActorOf) -> Ref:
        """See `Work`."""
        named = f"{run.step}[{run.item_id}]"
        ref: Ref
        match run.step:
            case "acquire":
                flight.timings = Timings()
                ref = actor.acquire.options(name=named).remote(flight.trip, flight.lease.item)
            case "extract":
                ref, flight.watched = actor.extract.options(name=named, num_returns=2).remote(
                    flight.trip
                )
            case "transcribe":
                source = actor_of(flight.extractor)
                ref = actor.transcribe.options(name=named).remote(flight.trip, source)
            case "write":
                ref = actor.write.options(name=named).remote(
                    flight.trip,
                    flight.ticket,
                    flight.video,
                    flight.watched,
                    flight.transcript,
                    flight.timings,
                    actor_of(flight.extractor),
                )
            case _:
                rejection = _drop(run.rejection)
                ref = actor.record.options(name=named).remote(
                    flight.trip, flight.ticket, rejection, flight.video
                )
        return ref

    def keep(self, flight: Flight, step: str, worker: str, value: Any) -> tuple[float | None, int]:
        """See `Work`."""
        match step:
            case "acquire":
                flight.video, timings = value
                flight.timings.add(timings)
                flight.ticket = Ticket(flight.video.item, flight.ticket.generation)
                flight.extractor = worker
                return flight.video.duration_s, flight.video.size_bytes
            case "extract":
                flight.timings.add(value)
            case "transcribe":
                flight.transcript, timings = value
                flight.timings.add(timings)
            case _:
                flight.manifest = value
        return None, 0


VIDEO = VideoWork()


def _drop(rejection: Failure | None) -> Drop:
    if rejection is None:
        raise RuntimeError("a rejection is recorded without its reason")
    stage = rejection.step or "acquire"
    return Drop(stage=stage, kind="item", code=rejection.code, detail=rejection.detail)
