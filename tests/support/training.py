"""Small datasets and configs to train on, and runs of training in processes of their own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.pairs import region_pairs, write_pairs
from medpipe.genmedclip import (
    DataConfig,
    GenMedClipConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
)
from medpipe.genmedclip.index import build_index
from medpipe.genmedclip.loop import INDEX
from medpipe.storage import ObjectStore, open_store


def dataset(folder: Path, pairs: int = 48, *, an_item: int = 8) -> ObjectStore:
    """A dataset of pictures with two findings each, told and pointed at."""
    store = open_store(str(folder))
    write_pairs(store, region_pairs(pairs, side_px=48), an_item=an_item)
    return store


def config(data: ObjectStore | None = None, **rooms: dict[str, Any]) -> GenMedClipConfig:
    """A run of seconds: tiny model, 32 pixels; `rooms` change single settings."""
    return GenMedClipConfig(
        model=ModelConfig(**{"name": "tiny", "image_px": 32, **rooms.get("model", {})}),
        data=DataConfig(
            **{"uri": data and data.uri, "validation_share": 0.0, "threads": 1,
               **rooms.get("data", {})}
        ),
        loss=LossConfig(**rooms.get("loss", {})),
        optim=OptimConfig(**{"learning_rate": 1e-3, "warmup_steps": 2, **rooms.get("optim", {})}),
        run=RunConfig(
            **{"epochs": 2, "global_batch": 8, "log_steps": 1, "checkpoint_steps": 2,
               **rooms.get("run", {})}
        ),
    )  # fmt: skip


def prepared(config: GenMedClipConfig, data: ObjectStore, folder: Path) -> ObjectStore:
    """The store of a run with the index in it."""
    store = open_store(str(folder))
    store.write(INDEX, build_index(data, config.data).to_bytes())
    return store


_CHILD = """
import json, os, signal, sys
from medpipe.genmedclip import GenMedClipConfig
from medpipe.genmedclip.loop import Hooks, Training
from medpipe.storage import open_store

job = json.loads(sys.argv[1])
config = GenMedClipConfig.model_validate(job["config"])

def on_step(step, figures):
    print(json.dumps([step, figures["loss"], figures["batch_mark"]]), flush=True)
    if step == job["die_at"]:
        os.kill(os.getpid(), signal.SIGKILL)

Training(config, open_store(config.data.uri), open_store(job["run"]), hooks=Hooks(on_step)).run()
"""


def train_in_a_process(
    config: GenMedClipConfig, run: ObjectStore, *, die_at: int | None = None
) -> tuple[int, list[tuple[int, float, float]]]:
    """Train in a process that may kill itself after a step.

    Returns:
        Exit code, and (step, loss, mark of the batch's rows) of each step.
    """
    job = {"config": config.model_dump(mode="json"), "run": run.uri, "die_at": die_at}
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps(job)],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    if done.returncode > 0:
        raise AssertionError(done.stderr[-3000:])
    return done.returncode, [(step, loss, mark) for step, loss, mark in told]
