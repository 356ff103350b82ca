"""What masks of duplicates and traces in the loss are worth, on slides with known regions.

Trains `tiny` on drawn slides with two findings each (captions name both and no place; a pointer
circles each while its phrase is said) with and without each term, three seeds, and judges on other
slides: whether the heat map of a phrase peaks in its box (pointing game, beside always looking at
the middle), and whether captions are found (retrieval). Figures are printed as they come out.

    python -m benchmarks.ablations [--pairs 1500] [--epochs 8] [--seeds 3]
"""

import argparse
import json
import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.machine import about
from benchmarks.pairs import region_pairs, write_pairs
from medpipe.genmedclip import (
    DataConfig,
    GenMedClipConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
)
from medpipe.storage import open_store

RESULTS = Path(__file__).parent / "results"
MASK = ("clip", "caption")
ARMS: dict[str, LossConfig] = {
    "no mask": LossConfig(mask_duplicates=()),
    "mask": LossConfig(mask_duplicates=MASK),
    "mask + regions": LossConfig(mask_duplicates=MASK, region_weight=1.0),
    "mask + traces": LossConfig(mask_duplicates=MASK, trace_weight=0.5),
    "mask + regions + traces": LossConfig(
        mask_duplicates=MASK, region_weight=1.0, trace_weight=0.5
    ),
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=1500)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    jobs = [(name, seed) for seed in range(options.seeds) for name in ARMS]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pairs(open_store(str(folder / "test")), region_pairs(400, seed=10_000))
        for seed in range(options.seeds):
            write_pairs(
                open_store(str(folder / f"train-{seed}")), region_pairs(options.pairs, seed=seed)
            )
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
            waiting = [pool.submit(measure, folder, *job, options.epochs) for job in jobs]
            found = [one.result() for one in waiting]
    figures: dict[str, Any] = {**about(), "pairs": options.pairs, "epochs": options.epochs}
    figures["arms"] = {
        arm: summed([one for (name, _), one in zip(jobs, found, strict=True) if name == arm])
        for arm in ARMS
    }
    show(figures)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "ablations.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def measure(folder: Path, arm: str, seed: int, epochs: int) -> dict[str, float]:
    """Train and judge one arm with one seed."""
    from medpipe.genmedclip.index import build_index
    from medpipe.genmedclip.loop import INDEX, Training
    from medpipe.genmedclip.references import load_reference

    uri = str(folder / f"train-{seed}")
    data, work = open_store(uri), folder / f"run-{arm}-{seed}"
    config = GenMedClipConfig(
        model=ModelConfig(name="tiny", image_px=64),
        data=DataConfig(uri=uri, validation_share=0.0, threads=1, roi_weight=0.5, min_scale=0.8),
        loss=ARMS[arm],
        optim=OptimConfig(learning_rate=2e-3, warmup_steps=20, weight_decay=0.1),
        run=RunConfig(epochs=epochs, global_batch=64, seed=seed, checkpoint_steps=10_000),
    )
    run = open_store(str(work))
    run.write(INDEX, build_index(data, config.data).to_bytes())
    Training(config, data, run).run()
    return judged(load_reference(str(work)), folder, work)


def judged(model: Any, folder: Path, work: Path) -> dict[str, float]:
    """Pointing game and retrieval on slides that nobody trained on."""
    from medpipe.genmedclip.judging.judge import JudgeConfig, judge
    from medpipe.genmedclip.judging.registry import DatasetSpec, MedpipeSource, Suite

    common = {
        "domain": "general", "licence": "CC0", "citation": "drawn", "how_to_get": "this benchmark"
    }  # fmt: skip
    grounding = DatasetSpec(
        name="regions", title="Regions", task="grounding", primary_metric="pointing",
        source=MedpipeSource(type="medpipe", uri="test", kinds=("roi",)), **common,
    )  # fmt: skip
    retrieval = DatasetSpec(
        name="captions", title="Captions", task="retrieval", primary_metric="r10_mean",
        source=MedpipeSource(type="medpipe", uri="test", kinds=("medical",)), **common,
    )  # fmt: skip
    suite = Suite(name="ablations", version="1", title="Slides", datasets=(grounding, retrieval))
    results = judge(
        [model], suite, out=str(work / "report"), cache=str(work / "cache"), data=str(folder),
        config=JudgeConfig(rounds=10, probes=None, pictures=False),
    )  # fmt: skip
    by_task = {one.task: one for one in results.judged}
    pointed, found = by_task["grounding"], by_task["retrieval"]
    return {
        "pointing": pointed.figures["pointing"].value or 0.0,
        "inside_mass": pointed.figures["inside_mass"].value or 0.0,
        "pointing_of_the_middle": pointed.centre["pointing"],
        "pointing_by_chance": pointed.chance["pointing"],
        "r10_mean": found.figures["r10_mean"].value or 0.0,
        "r10_by_chance": found.chance["r10_mean"],
    }


def summed(runs: list[dict[str, float]]) -> dict[str, Any]:
    """Means over seeds, and each seed's figure."""
    return {
        key: {"mean": statistics.fmean(values), "seeds": values}
        for key in runs[0]
        for values in [[run[key] for run in runs]]
    }


def show(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    keys = list(next(iter(figures["arms"].values())))
    print(f"{'':26s}" + "".join(f"{key:>24s}" for key in keys))
    for arm, found in figures["arms"].items():
        cells = [
            f"{found[key]['mean']:.3f} ({', '.join(f'{v:.2f}' for v in found[key]['seeds'])})"
            for key in keys
        ]
        print(f"{arm:26s}" + "".join(f"{cell:>24s}" for cell in cells))


if __name__ == "__main__":
    main()
