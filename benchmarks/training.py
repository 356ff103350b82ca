"""Training beside a bare open_clip loop, and two workers beside one, at a fixed global batch.

The bare loop is what open_clip's README has: its model, its `ClipLoss`, AdamW, the same batches
from memory and the same seed. Rounds are interleaved; medians of wall seconds a step. Losses drift
apart by rounding alone: so the bare loop also runs on batches whose rows stand in reverse.

    python -m benchmarks.training [--steps 60] [--rounds 3]
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import about
from benchmarks.pairs import region_pairs, write_pairs
from medpipe.config import MedpipeConfig
from medpipe.genmedclip import (
    DataConfig,
    GenMedClipConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
)
from medpipe.genmedclip.tracking import read_log
from medpipe.storage import open_store

RESULTS = Path(__file__).parent / "results"
BATCH = 256
WARM_STEPS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(open_store(str(folder / "data")), region_pairs(BATCH * 20), an_item=256)
        figures = {**about(), **measure(folder, options.steps, options.rounds)}
    show(figures)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def config(folder: Path, steps: int, workers: int) -> MedpipeConfig:
    """A run of so many steps on so many workers."""
    return MedpipeConfig(
        genmedclip=GenMedClipConfig(
            model=ModelConfig(name="tiny"),
            data=DataConfig(uri=str(folder / "data"), validation_share=0.0, threads=1),
            loss=LossConfig(mask_duplicates=()),
            optim=OptimConfig(learning_rate=1e-3, warmup_steps=0, final_share=1.0),
            run=RunConfig(
                epochs=-(-steps // 20), global_batch=BATCH, workers=workers, log_steps=10,
                checkpoint_steps=10_000,
            ),
        )
    )  # fmt: skip


def measure(folder: Path, steps: int, rounds: int) -> dict[str, Any]:
    """Step times of the bare loop, of one worker and of two."""
    ways = {
        "bare": bare, "reversed": bare_reversed, "one_worker": one_worker,
        "two_workers": two_workers,
    }  # fmt: skip
    times: dict[str, list[float]] = {name: [] for name in ways}
    losses: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, way in ways.items():
            step_s, losses[name] = _apart(way, folder, steps, number)
            times[name].append(step_s)
    median = {name: statistics.median(found) for name, found in times.items()}
    return {
        "step_s": median,
        "one_worker_over_bare": median["one_worker"] / median["bare"],
        "speedup_of_two_workers": median["one_worker"] / median["two_workers"],
        "largest_difference_of_losses": {
            name: max(
                abs(a - b) for a, b in zip(losses["bare"], losses[name], strict=True)
            )
            for name in ("reversed", "one_worker", "two_workers")
        },
    }  # fmt: skip


def _apart(way: Any, folder: Path, steps: int, number: int) -> tuple[float, list[float]]:
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    process = context.Process(target=_told, args=(way, folder, steps, number, said))
    process.start()
    found: tuple[float, list[float]] = said.get()
    process.join()
    return found


def _told(way: Any, folder: Path, steps: int, number: int, said: Any) -> None:
    said.put(way(folder, steps, number))


def bare_reversed(folder: Path, steps: int, number: int) -> tuple[float, list[float]]:
    """The bare loop on the same batches, only that sums round otherwise."""
    return bare(folder, steps, number, reverse=True)


def bare(
    folder: Path, steps: int, number: int, *, reverse: bool = False
) -> tuple[float, list[float]]:
    """Wall seconds of a step in the bare loop, and the mean losses of ten steps each."""
    import open_clip

    from medpipe.genmedclip.index import build_index
    from medpipe.genmedclip.loader import Loader, Wanted
    from medpipe.genmedclip.models import build, normalise
    from medpipe.genmedclip.order import Cursor

    torch.set_num_threads(1)
    settings = config(folder, steps, 1).genmedclip
    store = open_store(str(folder / "data"))
    built = build(settings.model, seed=settings.run.seed)
    loader = Loader(
        store, build_index(store, settings.data), settings.data, Wanted(built.image_px),
        built.tokenize, seed=settings.run.seed, global_batch=BATCH,
    )  # fmt: skip
    batches = [
        (normalise(b.images), b.tokens)
        for _, b in loader.batches(Cursor(0, 0), settings.run.epochs)
    ]
    if reverse:
        batches = [(images.flip(0), tokens.flip(0)) for images, tokens in batches]
    model, loss_of = built.model.train(), open_clip.ClipLoss()
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": settings.optim.weight_decay},
         {"params": vectors, "weight_decay": 0.0}],
        lr=settings.optim.learning_rate, betas=(0.9, 0.98), eps=1e-6,
    )  # fmt: skip
    losses, times = [], []
    for images, tokens in batches:
        began_s = time.perf_counter()
        optimizer.zero_grad()
        image, text, scale = model(images, tokens)
        loss = loss_of(image, text, scale)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        times.append(time.perf_counter() - began_s)
        losses.append(float(loss.detach()))
    means = [statistics.fmean(losses[n : n + 10]) for n in range(0, len(losses), 10)]
    return statistics.median(times[WARM_STEPS:]), means


def one_worker(folder: Path, steps: int, number: int) -> tuple[float, list[float]]:
    """Our run inside Ray Train."""
    return _ours(folder, steps, 1, number)


def two_workers(folder: Path, steps: int, number: int) -> tuple[float, list[float]]:
    """Our run inside Ray Train on two workers, the same global batch."""
    return _ours(folder, steps, 2, number)


def _ours(folder: Path, steps: int, workers: int, number: int) -> tuple[float, list[float]]:
    from medpipe.runtime.training import train

    out = folder / f"run-{workers}-{number}"
    train(config(folder, steps, workers), str(out))
    figures = read_log(open_store(str(out)))
    told = [line for line in figures if line["step"] > WARM_STEPS]
    step_s = statistics.median(BATCH / line["samples_a_s"] for line in told)
    return step_s, [line["loss"] for line in figures]


def show(figures: dict[str, Any]) -> None:
    """Print the figures."""
    for name, step_s in figures["step_s"].items():
        print(f"{name:12s} {step_s * 1000:8.1f} ms a step")
    print(f"one worker over bare      {figures['one_worker_over_bare']:.3f}")
    print(f"speedup of two workers    {figures['speedup_of_two_workers']:.2f}")
    print(f"difference of losses      {figures['largest_difference_of_losses']}")


if __name__ == "__main__":
    main()
