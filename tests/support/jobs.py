"""A queue, an output and a config for one job, and what a job leaves behind on this machine."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.lectures import make_lecture, random_spec
from medpipe import load_config
from medpipe.cli.work import enqueue_sources
from medpipe.queues import SqliteQueue, Tries
from medpipe.runtime import Outcome, curate

SCRATCH = "medpipe-scratch-"


def short_lectures(folder: Path, seeds: Sequence[int], duration_s: float = 6) -> list[Path]:
    """Small real videos without speech, one a seed."""
    specs = [
        random_spec(s, width_px=320, height_px=240, fps=12, duration_s=duration_s, speech="none")
        for s in seeds
    ]
    return [make_lecture(spec, folder).video for spec in specs]


class JobWorld:
    """One job: its queue and its dataset in a folder, and a scratch folder of its own."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self.out = folder / "out"
        self.scratch = folder / "scratch"
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.queue_path = folder / "queue.sqlite"
        self.queue = SqliteQueue(self.queue_path)
        scratch = f"runtime.scratch_dir={self.scratch}"
        self.config = load_config("demo", ["runtime.commit_s=1", scratch, *settings])

    def feed(self, videos: Sequence[Path]) -> list[str]:
        """Enqueue videos; returns their ids."""
        return enqueue_sources([str(v) for v in videos], self.queue, self.config).ids

    def run(self, **how: Any) -> Outcome:
        """Work until nothing is open."""
        return curate(self.queue, str(self.out), self.config, **how)

    def tries(self, state: str = "dead") -> dict[str, Tries]:
        """What the queue keeps of the items in a state."""
        return tries_of(self.queue_path, state)

    def left_on_disk(self) -> list[str]:
        """Scratch folders that nobody removed."""
        return [path.name for path in self.scratch.glob(f"{SCRATCH}*")]


def tries_of(queue: Path, state: str = "dead") -> dict[str, Tries]:
    """What a queue in a file keeps of the items in a state."""
    with sqlite3.connect(queue) as db:
        rows = db.execute("SELECT id, tries FROM items WHERE state = ?", (state,)).fetchall()
    db.close()
    return {item_id: Tries.model_validate(json.loads(tries)) for item_id, tries in rows}


def actors(*titles: str, of: int | None = None) -> list[psutil.Process]:
    """Living Ray workers under a process by title: their class, or the step that they run."""
    wanted = tuple(f"ray::{title}" for title in titles or KINDS)
    found = []
    for process in psutil.Process(of).children(recursive=True):
        with suppress(psutil.Error):
            if (process.cmdline() or [""])[0].startswith(wanted):
                found.append(process)
    return found


KINDS = ("ExtractWorker", "TranscribeWorker", "WriteWorker", "acquire[", "extract[", "transcribe[",
         "write[", "record[")  # fmt: skip
