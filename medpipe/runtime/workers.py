"""What runs inside Ray's actors: thin shells around the steps of the pipeline."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cv2
import ray
from ray.actor import ActorHandle

from medpipe import logs, pipeline
from medpipe.config import MedpipeConfig
from medpipe.dataset import Manifest
from medpipe.pipeline import Span, Ticket, Watched
from medpipe.records import AudioBlock, Drop, Item, Transcript, Video
from medpipe.runtime.reporting import Reporter, no_exit
from medpipe.runtime.scratch import Scratch
from medpipe.runtime.tracing import open_spans
from medpipe.runtime.watchdog import Watchdog
from medpipe.stages.clips import Clip
from medpipe.stages.transcribe import Transcriber
from medpipe.storage import open_store
from medpipe.telemetry import Timings, Trip

_T = TypeVar("_T")


class _Worker:
    """Name and config of a worker; opens what it needs in `open`, so that failures have a name."""

    def __init__(self, name: str, config: MedpipeConfig, out: str) -> None:
        self._name = name
        self._config = config
        self._out = out
        logs.set_up(config.log, worker=name)
        self._reporter = Reporter(name, node_id(), open_spans(config.tracing))
        self._watchdog = Watchdog(config.runtime.worker_memory_bytes)
        cv2.setNumThreads(1)

    def __repr__(self) -> str:
        return self._name

    def open(self) -> str:
        """Load what the worker needs; returns the id of its node."""
        return node_id()

    def ping(self) -> None:
        """Answer, to show that the worker lives."""

    @ray.method(concurrency_group="life")
    def life(self) -> None:
        """Last as long as the worker, so that its death is seen at once, even when idle.

        Raises:
            WorkerMemoryError: The worker outgrew its memory and is about to end.
        """
        self._watchdog.wait()

    @ray.method(concurrency_group="life")
    def leave(self) -> None:
        """End the process at once; its scratch goes with it."""
        self._reporter.close()
        os._exit(0)

    def close(self) -> None:
        """Let go of what outlives the process; it is ended next."""
        self._reporter.close()


@dataclass(slots=True)
class _Held:
    """An item's file on this worker, with the folder that is its own."""

    folder: Path
    video: Video
    blocks: Iterator[AudioBlock]


class ExtractWorker(_Worker):
    """Holds files: fetches them, watches one at a time, and serves their sound meanwhile."""

    def __init__(self, name: str, config: MedpipeConfig, out: str) -> None:
        super().__init__(name, config, out)
        self._scratch = Scratch(config.runtime.scratch_dir)
        self._held: dict[str, _Held] = {}

    @ray.method(concurrency_group="fetch")
    def acquire(self, trip: Trip, item: Item) -> tuple[Video, Timings]:
        """Fetch an item's media into a folder of its own and hold it until it is dropped."""
        self._discard(item.id)
        folder = Path(tempfile.mkdtemp(dir=self._scratch.path))
        timings = Timings()
        try:
            with self._reporter.step(trip, "acquire") as told, timings.stage("acquire"):
                video = _whole(Video, pipeline.fetch(item, folder, self._config))
                told |= {"media_s": video.duration_s, "size_bytes": video.size_bytes}
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._held[item.id] = _Held(folder, video, pipeline.sound(video, self._config))
        return video, timings

    def extract(self, trip: Trip) -> tuple[Timings, Watched]:
        """Watch a held video; two results, so that the driver need not carry the images."""
        held = self._holding(trip.item_id)
        timings = Timings()
        with self._reporter.step(trip, "extract") as told, timings.stage("extract"):
            told["media_s"] = held.video.duration_s
            watched = _whole(Watched, pipeline.watch(held.video, held.folder, self._config))
        return timings, watched

    @ray.method(concurrency_group="sound")
    def next_block(self, item_id: str) -> tuple[AudioBlock | None, float]:
        """The next block of a held video's sound (None at its end), and its CPU seconds."""
        held = self._holding(item_id)
        cpu_s = time.thread_time()
        with no_exit():
            block = next(held.blocks, None)
        return block, time.thread_time() - cpu_s

    @ray.method(concurrency_group="clips")
    def cut(
        self, item_id: str, prefix: str, spans_s: Sequence[Span]
    ) -> tuple[list[Clip | Drop], float]:
        """Cut clips of a held video into the store; they come back as rows, with CPU seconds."""
        held = self._holding(item_id)
        cpu_s = time.thread_time()
        with no_exit():
            store = open_store(self._out, self._config.storage)
            clips = pipeline.cut(held.video, prefix, spans_s, store, self._config)
        return clips, time.thread_time() - cpu_s

    @ray.method(concurrency_group="life")
    def drop(self, item_id: str) -> None:
        """Let an item's file go; one that is not held is fine."""
        self._discard(item_id)

    def _discard(self, item_id: str) -> None:
        held = self._held.pop(item_id, None)
        if held is not None:
            shutil.rmtree(held.folder, ignore_errors=True)

    def close(self) -> None:
        """Remove the scratch folder."""
        super().close()
        self._scratch.remove()

    def _holding(self, item_id: str) -> _Held:
        held = self._held.get(item_id)
        if held is None:
            raise RuntimeError(f"{item_id} is not held here")
        return held


class TranscribeWorker(_Worker):
    """Holds a speech model and pulls sound from the worker that holds the file."""

    def __init__(self, name: str, config: MedpipeConfig, out: str) -> None:
        super().__init__(name, config, out)
        self._transcriber = Transcriber(config.transcribe)

    def open(self) -> str:
        """Load the model; returns the id of the worker's node."""
        self._transcriber.open()
        return node_id()

    def transcribe(self, trip: Trip, source: ActorHandle[Any]) -> tuple[Transcript, Timings]:
        """Listen to an item's sound, one block ahead of the model."""
        timings = Timings()
        with (
            self._reporter.step(trip, "transcribe") as told,
            timings.stage("transcribe", time.process_time),
        ):
            blocks = _pulled(source, trip.item_id, timings)
            heard = pipeline.listen(trip.item_id, blocks, self._transcriber)
            transcript = _whole(Transcript, heard)
            told["media_s"] = transcript.duration_s
        return transcript, timings

    def close(self) -> None:
        """Free the model."""
        super().close()
        self._transcriber.close()


class WriteWorker(_Worker):
    """Judges, reads, aligns and writes; its store is the dataset's."""

    def __init__(self, name: str, config: MedpipeConfig, out: str) -> None:
        super().__init__(name, config, out)
        self._store = open_store(out, config.storage)

    def write(
        self,
        trip: Trip,
        ticket: Ticket,
        video: Video,
        watched: Watched,
        transcript: Transcript,
        timings: Timings,
        source: ActorHandle[Any] | None,
    ) -> Manifest:
        """Write a good item's rows and put its manifest; `source` holds the file for clips."""

        def cutter(prefix: str, spans_s: Sequence[Span]) -> Sequence[Clip | Drop]:
            if source is None:
                raise RuntimeError(f"nobody holds {trip.item_id} any more")
            cutting: Any = source.cut.remote(trip.item_id, prefix, spans_s)
            clips: list[Clip | Drop]
            clips, cpu_s = ray.get(cutting)
            timings.cpu_s["clips"] = timings.cpu_s.get("clips", 0.0) + cpu_s
            return clips

        with self._reporter.step(trip, "write") as told:
            told["media_s"] = video.duration_s
            manifest = pipeline.write(
                ticket, video, watched, transcript, timings, self._store, self._config, cutter
            )
            return _whole(Manifest, manifest)

    def record(self, trip: Trip, ticket: Ticket, rejection: Drop, video: Video | None) -> Manifest:
        """Write a rejected item's rows and put its manifest."""
        with self._reporter.step(trip, "record"):
            return pipeline.record_rejection(ticket, rejection, video, self._store, self._config)


def node_id() -> str:
    """Id of the Ray node that this process runs on."""
    return str(ray.get_runtime_context().get_node_id())


def _whole(kind: type[_T], value: _T) -> _T:
    """What a step gave, if it is what the driver will take it for.

    Raises:
        TypeError: It is something else; raised here, it is the step's bug and not the driver's.
    """
    if not isinstance(value, kind):
        raise TypeError(f"the step gave {type(value).__name__}, not {kind.__name__}")
    return value


def _pulled(source: ActorHandle[Any], item_id: str, timings: Timings) -> Iterator[AudioBlock]:
    """Blocks from the worker that holds the file, the next one asked for ahead."""
    coming: Any = source.next_block.remote(item_id)
    while True:
        block, cpu_s = ray.get(coming)
        timings.cpu_s["sound"] = timings.cpu_s.get("sound", 0.0) + cpu_s
        if block is None:
            return
        coming = source.next_block.remote(item_id)
        yield block
