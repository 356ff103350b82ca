"""What `tiny` learns on real pictures in minutes: zero-shot with prompts it never saw.

Trains on Medical MNIST (two thirds of the pictures, captions in a narrator's varied words) and
judges on the third that was held back with other templates, once a seed. Beside it: a class whose
pictures it never saw, and retrieval on VQA-RAD, which it never saw at all, against chance.

    python -m benchmarks.zero_shot medical_mnist.parquet [--vqa-rad vqa_rad.parquet] [--seeds 3]
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.machine import about
from benchmarks.pairs import (
    CLASS_NAMES,
    UNSEEN_TEMPLATES,
    medical_mnist,
    medical_mnist_pairs,
    write_pairs,
)
from medpipe.config import MedpipeConfig
from medpipe.genmedclip import DataConfig, GenMedClipConfig, ModelConfig, OptimConfig, RunConfig
from medpipe.genmedclip.judging.judge import JudgeConfig, judge
from medpipe.genmedclip.judging.registry import ClassSpec, DatasetSpec, ParquetSource, Suite
from medpipe.genmedclip.judging.results import Judged, Results
from medpipe.genmedclip.references import load_reference
from medpipe.runtime.training import train
from medpipe.storage import open_store

RESULTS = Path(__file__).parent / "results"
UNSEEN = "ChestCT"  # both its words are heard with other classes, never together


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("medical_mnist", type=Path)
    parser.add_argument("--vqa-rad", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [measure(options, folder, seed) for seed in range(options.seeds)]
        unseen = measure(options, folder, 0, without=UNSEEN)
    figures = {**about(), "runs": runs, "without_a_class": unseen}
    accuracies = [run["accuracy"]["value"] for run in runs]
    figures["accuracy_mean"] = statistics.fmean(accuracies)
    figures["accuracy_spread"] = max(accuracies) - min(accuracies)
    print(json.dumps(figures, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "zero_shot.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def measure(
    options: argparse.Namespace, folder: Path, seed: int, without: str = ""
) -> dict[str, Any]:
    """Train and judge once."""
    work = folder / f"{seed}-{without or 'all'}"
    data = open_store(str(work / "data"))
    left_out = (without,) if without else ()
    write_pairs(data, medical_mnist_pairs(options.medical_mnist, seed=seed, without=left_out))
    began_s = time.perf_counter()
    train(config(str(work / "data"), seed, options.workers), str(work / "run"))
    wall_s = time.perf_counter() - began_s
    results = judged(options, work, seed)
    shown = next(one for one in results.judged if one.dataset == "medical_mnist")
    found: dict[str, Any] = {
        "seed": seed,
        "training_wall_s": wall_s,
        "accuracy": shown.figures["accuracy"].model_dump(),
        "balanced_accuracy": shown.figures["balanced_accuracy"].model_dump(),
        "chance": shown.chance["accuracy"],
        "templates_std": shown.template_std,
        "recall_by_class": {one.name: one.recall for one in shown.classes},
    }
    if without:
        found["never_seen"] = without
    for one in results.judged:
        if one.task == "retrieval":
            found["vqa_rad"] = retrieval(one)
    return found


def retrieval(one: Judged) -> dict[str, Any]:
    """Recall at 10 with its interval, beside chance."""
    return {
        "recall_at_10": one.figures["r10_mean"].model_dump(),
        "chance": one.chance["r10_mean"],
    }


def config(uri: str, seed: int, workers: int) -> MedpipeConfig:
    """The recipe `genmedclip-tiny` with a seed and workers."""
    return MedpipeConfig(
        genmedclip=GenMedClipConfig(
            model=ModelConfig(name="tiny"),
            data=DataConfig(uri=uri, validation_share=0.0, threads=1),
            optim=OptimConfig(learning_rate=2e-3, warmup_steps=20, weight_decay=0.1),
            run=RunConfig(
                epochs=6, global_batch=96, workers=workers, seed=seed, checkpoint_steps=10_000
            ),
        )
    )


def judged(options: argparse.Namespace, work: Path, seed: int) -> Results:
    """Judge the run on what was held back, and on VQA-RAD where it is there."""
    held_back = list(medical_mnist(options.medical_mnist, held_back=True))
    table = {"image": [image for image, _ in held_back], "label": [name for _, name in held_back]}
    pq.write_table(pa.table(table), work / "held_back.parquet")
    datasets = [spec()]
    if options.vqa_rad is not None:
        pq.write_table(questions(options.vqa_rad), work / "vqa_rad.parquet")
        datasets.append(vqa_rad())
    suite = Suite(name="bench", version="1", title="Real pictures", datasets=tuple(datasets))
    model = load_reference(str(work / "run"))
    return judge(
        [model], suite, out=str(work / "report"), cache=str(work / "cache"), data=str(work),
        train=str(work / "data") if options.vqa_rad is None else None,
        config=JudgeConfig(probes=None, pictures=False, seed=seed),
    )  # fmt: skip


def spec() -> DatasetSpec:
    """The held-back pictures as a zero-shot test set with unseen templates."""
    return DatasetSpec(
        name="medical_mnist", title="Medical MNIST, held back", domain="general",
        task="zero_shot", source=ParquetSource(type="parquet", uri="held_back.parquet",
                                               label="label"),
        classes=tuple(ClassSpec(name=name, prompts=(words,), value=name)
                      for name, words in CLASS_NAMES.items()),
        templates=UNSEEN_TEMPLATES, primary_metric="accuracy", licence="as recalled CC BY-SA 4.0",
        citation="MedNIST, B. Erickson", how_to_get="see the suite medical12",
    )  # fmt: skip


def vqa_rad() -> DatasetSpec:
    """Questions and answers of VQA-RAD as captions to find."""
    return DatasetSpec(
        name="vqa_rad", title="VQA-RAD", domain="general", task="retrieval",
        source=ParquetSource(type="parquet", uri="vqa_rad.parquet", text="texts"),
        primary_metric="r10_mean", licence="CC0 1.0", citation="Lau et al. 2018",
        how_to_get="see the suite medical12",
    )  # fmt: skip


def questions(path: Path) -> pa.Table:
    """Pictures with what is asked and answered about them, in one text each."""
    table = pq.read_table(path)
    told = [
        [f"{organ}: {one['question']} {one['answer']}" for one in json.loads(asked)]
        for organ, asked in zip(table["organ"].to_pylist(), table["qa"].to_pylist(), strict=True)
    ]
    return pa.table({"image": table["image"], "texts": told})


if __name__ == "__main__":
    main()
