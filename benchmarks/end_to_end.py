"""From lectures to a judged model, every step by the command that a user would type.

Makes lectures (H.264 and speech) that show real pictures while a narrator talks about them and
points; `medpipe run` turns them into a dataset, `medpipe train` learns `tiny` from it once a seed,
`medpipe evaluate` judges it zero-shot on pictures held back, with templates it never heard. The
model knows of the classes only what Whisper heard.

    python -m benchmarks.end_to_end medical_mnist.parquet [--slides 50] [--seeds 3]
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.lectures import make_lecture
from benchmarks.lectures.cases import Case, case_lecture
from benchmarks.machine import about
from benchmarks.pairs import MEDICAL_MNIST, medical_mnist, narrated
from benchmarks.zero_shot import RESULTS, spec
from medpipe.dataset import Dataset
from medpipe.demo.judge import cpu_by_stage, mean_score, score_lectures
from medpipe.genmedclip.judging.registry import DatasetSpec
from medpipe.storage import open_store

TRAINING = {"epochs": 40, "global_batch": 48}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("medical_mnist", type=Path)
    parser.add_argument("--slides", type=int, default=50, help="of each class")
    parser.add_argument("--a-lecture", type=int, default=30, help="slides of a lecture")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = {**about(), **measure(options, Path(name))}
    print(json.dumps(figures, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "end_to_end.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Film, curate, and train and judge once a seed."""
    cases = told(options.medical_mnist, folder / "pictures", options.slides)
    began_s = time.perf_counter()
    film(cases, folder / "lectures", options.a_lecture)
    film_s = time.perf_counter() - began_s
    walk = curated(folder / "lectures", folder / "data")
    held_back = medical_mnist(options.medical_mnist, held_back=True)
    suite = written_suite(spec(), held_back, folder / "suite")
    runs = []
    for seed in range(options.seeds):
        run = folder / f"run-{seed}"
        wall_s = trained(folder / "data", run, seed=seed, **TRAINING)
        runs.append(
            {"seed": seed, "training_wall_s": wall_s, **judged(run, suite, folder / "data")}
        )
    accuracies = [run["accuracy"]["value"] for run in runs]
    return {
        "slides": len(cases),
        "film_wall_s": film_s,
        "walk": walk,
        "runs": runs,
        "accuracy_mean": statistics.fmean(accuracies),
        "accuracy_spread": max(accuracies) - min(accuracies),
    }


def told(source: Path, folder: Path, of_each: int) -> list[Case]:
    """Pictures of the training part, as files, with a narrator's sentence each.

    Args:
        source: Medical MNIST.
        folder: For the files.
        of_each: Pictures of a class.
    """
    folder.mkdir(parents=True)
    random = np.random.default_rng(17)
    taken: Counter[str] = Counter()
    cases = []
    for image, label in medical_mnist(source, held_back=False):
        taken[label] += 1
        if taken[label] > of_each:
            continue
        path = folder / f"{label}-{taken[label]:04d}.jpg"
        path.write_bytes(image)
        said = narrated(label, random)
        part = max((part for part in MEDICAL_MNIST[label][1] if part in said), key=len)
        cases.append(Case(path, f"{said[0].upper()}{said[1:]}.", part))
    return cases


def film(cases: Sequence[Case], folder: Path, a_lecture: int) -> None:
    """Make videos of the cases, with their truth beside them."""
    for number, first in enumerate(range(0, len(cases), a_lecture)):
        make_lecture(case_lecture(number, cases[first : first + a_lecture]), folder)


def curated(lectures: Path, out: Path) -> dict[str, Any]:
    """`medpipe run` over a folder of lectures, and how its rows compare with their truth."""
    ran, wall_s = command("run", lectures, "--out", out, "--recipe", "demo", "--json")
    dataset = Dataset(open_store(str(out)))
    cpu_s, media_s = cpu_by_stage(dataset)
    rows = dataset.rows("samples", ["narrations", "part_of"]).to_pylist()
    samples = [row for row in rows if row["part_of"] is None]
    kinds = Counter(n["kind"] for sample in samples for n in sample["narrations"])
    scores = score_lectures(dataset, sorted(lectures.glob("*.mp4")))
    return {
        "wall_s": wall_s,
        "media_s": media_s,
        "cpu_s": cpu_s,
        "items": ran["funnel"]["items"],
        "rejects": ran["funnel"]["rejects"],
        "samples": len(samples),
        "without_a_word": sum(not sample["narrations"] for sample in samples),
        "narrations": dict(kinds),
        "with_boxes": sum(bool(n["boxes"]) for s in samples for n in s["narrations"]),
        "truth": asdict(mean_score(scores)),
    }


def trained(data: Path, run: Path, *, seed: int, **settings: int) -> float:
    """`medpipe train genmedclip-tiny` on a dataset; returns wall seconds.

    Args:
        data: The dataset.
        run: Where the run goes.
        seed: Of the run.
        settings: Fields of `genmedclip.run`.
    """
    room = {
        "genmedclip.data.uri": data,
        "genmedclip.data.validation_share": 0.0,
        "genmedclip.data.threads": 1,
        **{f"genmedclip.run.{name}": value for name, value in {"seed": seed, **settings}.items()},
    }
    overrides = [part for name, value in room.items() for part in ("--set", f"{name}={value}")]
    done, wall_s = command("train", "genmedclip-tiny", "--out", run, *overrides, "--json")
    if not done["finished"]:
        raise RuntimeError(f"training stopped at step {done['step']}")
    return wall_s


def written_suite(
    dataset: DatasetSpec, held_back: Iterable[tuple[bytes, str]], folder: Path
) -> Path:
    """A suite of one test set, as files: `suite.yaml` with the pictures beside it.

    Args:
        dataset: What is asked; its source names a Parquet file in `folder`.
        held_back: Pictures with their labels.
        folder: Is made.
    """
    folder.mkdir(parents=True)
    images, labels = zip(*held_back, strict=True)
    pq.write_table(pa.table({"image": images, "label": labels}), folder / dataset.source.uri)
    path = folder / "suite.yaml"
    suite = {"name": "held-back", "version": "1", "title": "Pictures held back"}
    listed = dataset.model_dump(mode="json", exclude_none=True)
    path.write_text(yaml.safe_dump({**suite, "datasets": [listed]}), "utf-8")
    return path


def judged(run: Path, suite: Path, data: Path) -> dict[str, Any]:
    """`medpipe evaluate` of a run on a suite, with a look for leaks from its training set."""
    results, wall_s = command(
        "evaluate", run, suite, "--out", run / "report", "--data", suite.parent,
        "--trained-on", data, "--json",
    )  # fmt: skip
    shown = results["judged"][0]
    return {
        "judging_wall_s": wall_s,
        "n": shown["n"],
        "accuracy": shown["figures"]["accuracy"],
        "chance": shown["chance"]["accuracy"],
        "recall_by_class": {one["name"]: one["recall"] for one in shown["classes"]},
        "leaks": dict(Counter(leak["kind"] for leak in results["present"][0]["leaks"])),
    }


def command(*arguments: object) -> tuple[Any, float]:
    """Run `medpipe ...` to its end; returns what it printed as JSON, and wall seconds."""
    began_s = time.perf_counter()
    line = [sys.executable, "-m", "medpipe", *map(str, arguments)]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout), time.perf_counter() - began_s


if __name__ == "__main__":
    main()
