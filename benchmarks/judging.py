"""What judging costs beside its limits, and how often the leak check cries wolf.

    python -m benchmarks.judging [--pictures medical_mnist.parquet ...]

CPU seconds of one thread, ours and the limit in turn, medians of five:
- one pass over a test set (hash, decode, embed, keep) with a model that costs nothing, against
  plain pyarrow + OpenCV decoding of the same rows;
- bootstrap rounds of a macro AUROC against scikit-learn's on resampled scores;
- the nearest of a million hashes against a scan of all of them.
Then, on real pictures split at random, the share that has a near hash in the other half.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks.machine import about
from benchmarks.walk import RESULTS
from medpipe.genmedclip.judging.cache import Cache
from medpipe.genmedclip.judging.embeddings import embed
from medpipe.genmedclip.judging.intervals import resamples
from medpipe.genmedclip.judging.leaks import HashIndex
from medpipe.genmedclip.judging.metrics import Rankings, softmax
from medpipe.genmedclip.judging.pictures import decode, hashes
from medpipe.genmedclip.judging.registry import DatasetSpec
from medpipe.genmedclip.judging.sources import find
from medpipe.storage import open_store

_REPEATS = 5


class Free:
    """A model that costs nothing."""

    name = "free"
    fingerprint = "0" * 64

    def embed_images(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """One vector for all."""
        return np.tile(np.eye(1, 512, dtype=np.float32), (len(images), 1))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector for all."""
        return np.tile(np.eye(1, 512, dtype=np.float32), (len(texts), 1))

    def heat_maps(
        self, images: Sequence[NDArray[np.uint8]], texts: Sequence[str]
    ) -> list[NDArray[np.float32]]:
        """Nothing stands out."""
        return [np.zeros((7, 7), np.float32) for _ in images]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", nargs="*", type=Path, default=[])
    cv2.setNumThreads(1)
    figures = {
        **about(),
        "pass_over_decode": _pass_over_decode(),
        "bootstrap_over_scikit_learn": _bootstrap(),
        "index_over_scan": _index(),
        "near_in_the_other_half": {
            path.stem: _false_alarms(path) for path in parser.parse_args().pictures
        },
    }
    print(json.dumps(figures, indent=1))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "judging.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def _pass_over_decode(rows: int = 1000, side_px: int = 256) -> dict[str, float]:
    random = np.random.default_rng(0)
    coarse = [random.integers(0, 256, (24, 24, 3)).astype(np.uint8) for _ in range(rows)]
    images = (cv2.resize(c, (side_px, side_px), interpolation=cv2.INTER_CUBIC) for c in coarse)
    encoded = [cv2.imencode(".jpg", i, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes() for i in images]
    spec = DatasetSpec(
        name="made", title="Made", domain="general", task="retrieval",
        source={"type": "parquet", "uri": "made.parquet"}, primary_metric="r10_mean",
        licence="CC0", citation="none", how_to_get="run this",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.parquet")
        pq.write_table(pa.table({"image": encoded}), path, row_group_size=250)
        caches = iter(range(2 * _REPEATS))

        def ours() -> None:
            test = find(spec, folder)
            assert test is not None
            embed(test, None, [Free()], Cache(open_store(f"{folder}/cache-{next(caches)}")))

        def plain() -> None:
            for batch in pq.ParquetFile(path).iter_batches(batch_size=32, use_threads=False):
                for data in batch.column(0):
                    cv2.imdecode(np.frombuffer(data.as_buffer(), np.uint8), cv2.IMREAD_COLOR)

        return _against(ours, plain)


def _bootstrap(n: int = 5000, classes: int = 8, rounds: int = 20) -> dict[str, float]:
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, n)
    scores = softmax(random.normal(size=(n, classes)) + np.eye(classes)[labels])
    groups = np.arange(n)
    rankings = Rankings(scores, np.eye(classes, dtype=bool)[labels])

    def ours() -> None:
        for weights in resamples(groups, rounds, seed=1):
            rankings.auroc(weights)

    def theirs() -> None:
        for weights in resamples(groups, rounds, seed=1):
            drawn = np.repeat(groups, weights.astype(int))
            roc_auc_score(labels[drawn], scores[drawn], multi_class="ovr")

    return _against(ours, theirs)


def _index(stored: int = 1_000_000, queries: int = 100) -> dict[str, float]:
    random = np.random.default_rng(0)
    hashed = random.integers(0, 2**64, stored, dtype=np.uint64)
    wanted = random.integers(0, 2**64, queries, dtype=np.uint64)
    index = HashIndex(hashed)

    def ours() -> None:
        for value in wanted:
            index.nearest(int(value))

    def scan() -> None:
        for value in wanted:
            np.bitwise_count(hashed ^ value).min()

    return _against(ours, scan)


def _false_alarms(path: Path) -> dict[str, float]:
    rows = pq.read_table(path, columns=["image"]).column("image").to_pylist()
    found = np.array([hashes(decode(row["bytes"]))[0] for row in rows], np.uint64)
    shuffled = np.random.default_rng(0).permutation(found)
    half = len(shuffled) // 2
    index = HashIndex(shuffled[:half])
    near = [index.nearest(int(value)) for value in shuffled[half:]]
    return {
        f"within {bits} bits": sum(n is not None and n[1] <= bits for n in near) / len(near)
        for bits in (0, 2, 4, 6)
    }


def _against(ours: Callable[[], None], limit: Callable[[], None]) -> dict[str, float]:
    """Median CPU seconds of both, in turn, and their ratio."""
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(_REPEATS):
        for times, run in zip(taken, (ours, limit), strict=True):
            start_s = time.process_time()
            run()
            times.append(time.process_time() - start_s)
    ours_s, limit_s = map(statistics.median, taken)
    return {"ours_cpu_s": ours_s, "limit_cpu_s": limit_s, "ratio": ours_s / limit_s}


if __name__ == "__main__":
    main()
