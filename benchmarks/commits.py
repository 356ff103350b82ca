"""What a commit costs as a dataset grows: time, memory, files, and what a reader waits for.

Items of small real JPEGs and narrations are written as workers write them and committed in batches
as the driver does, with compaction in between. Each thousand items prints the committer's time and
memory, the live files and the entries of the log, and how long a reader needs to open the table
and to list what is in. The limit in the same run is reading the workers' files and writing the
same bytes as one plain file a batch and table; the first thousand is the reference for growth.
Prints a table and writes `benchmarks/results/commits.json` with the machine and the commit.

    python -m benchmarks.commits [--items N] [--batch N] [--s3]
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from benchmarks.machine import about
from medpipe.config import StorageConfig
from medpipe.dataset import (
    TABLES,
    Committer,
    Dataset,
    ImageConfig,
    Manifest,
    encode_image,
    write_item,
)
from medpipe.dataset.rows import (
    Provenance,
    SampleDraft,
    item_row,
    reject_rows,
    sample_id,
    sample_row,
    transcript_row,
)
from medpipe.records import Drop, Item, Narration, Scene, ScoredBox, Trace, Transcript, Word
from medpipe.storage import ObjectStore, open_store

RESULTS = Path(__file__).parent / "results"

SAMPLES_AN_ITEM = 2
STEP = 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--s3", action="store_true", help="on a moto server instead of a folder")
    parser.add_argument("--name", default="commits", help="of the result file")
    args = parser.parse_args()
    figures: dict[str, Any] = {
        **about(),
        "batch": args.batch,
        "store": "s3" if args.s3 else "folder",
    }
    with tempfile.TemporaryDirectory() as folder, _store(Path(folder), on_s3=args.s3) as store:
        figures["steps"] = steps = list(measure(store, Path(folder), args.items, args.batch))
    figures["ratios"] = ratios(steps)
    for name, value in figures["ratios"].items():
        print(f"  {name:60s} {value:10.3f}")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{args.name}.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def measure(store: ObjectStore, folder: Path, items: int, batch: int) -> Iterator[dict[str, float]]:
    """Commit items in batches; figures of each thousand."""
    committer = Committer(store)
    committer.recover()
    commit_s = commit_cpu_s = plain_s = write_s = 0.0
    for first in range(0, items, batch):
        began_s = time.perf_counter()
        manifests = [put_item(store, f"file:{n:08d}") for n in range(first, first + batch)]
        write_s += time.perf_counter() - began_s
        plain_s += _plain_s(store, folder, manifests)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        committer.commit(manifests)
        committer.compact()
        commit_s += time.perf_counter() - began_s
        commit_cpu_s += time.process_time() - began_cpu_s
        done = first + batch
        if done % STEP == 0:
            yield _show(
                {
                    "items": done,
                    "write ms an item": write_s * 1e3 / STEP,
                    "commit ms an item": commit_s * 1e3 / STEP,
                    "commit CPU ms an item": commit_cpu_s * 1e3 / STEP,
                    "plain ms an item": plain_s * 1e3 / STEP,
                    **_memory(),
                    **_files(store),
                }
            )
            commit_s = commit_cpu_s = plain_s = write_s = 0.0


def ratios(steps: Sequence[dict[str, float]]) -> dict[str, float]:
    """The last quarter beside the first thousand, and beside the limit."""
    quarters = np.array_split(np.array([[s["items"], s["RSS bytes"]] for s in steps]), 4)
    early, late = (
        np.median(quarters[n], axis=0) if len(quarters[n]) else np.ones(2) for n in (1, 3)
    )
    grown = late - early
    tail = {name: _mean(steps[-max(1, len(steps) // 4) :], name) for name in steps[0]}
    commit, cpu = "commit ms an item", "commit CPU ms an item"
    return {
        "commit, last quarter / first thousand": tail[commit] / steps[0][commit],
        "CPU of commit, last quarter / first thousand": tail[cpu] / steps[0][cpu],
        "commit / plain files, last quarter": tail[commit] / tail["plain ms an item"],
        "commit / writing the item, last quarter": tail[commit] / tail["write ms an item"],
        "RSS bytes an item, second quarter to last": float(grown[1] / max(1.0, grown[0])),
        "live files of all tables at the end": steps[-1]["live files"],
    }


def _mean(steps: Sequence[dict[str, float]], name: str) -> float:
    return sum(step[name] for step in steps) / len(steps)


def put_item(store: ObjectStore, item_id: str) -> Manifest:
    """Write an item's files as a worker does."""
    origin = Provenance(Item(id=item_id, uri="/v.mp4", title="Chest"), 1, "config", "0", {"a": "b"})
    item = item_row(
        origin,
        video=None,
        language="en",
        rejection=None,
        counts={"samples": SAMPLES_AN_ITEM},
        trace=TRACE,
        cpu_s={"extract": 1.0},
        wall_s={"extract": 2.0},
    )
    rows = {
        "samples": [_sample(origin, index) for index in range(SAMPLES_AN_ITEM)],
        "transcripts": [transcript_row(TRANSCRIPT, origin)],
        "rejects": reject_rows([Drop(stage="extract", kind="image", code="blank_image")], origin),
        "items": [item],
    }
    return write_item(
        store, rows, item_id=item_id, generation=1, config_hash="config", verdict="done"
    )


def _jpeg(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(0, 255, (24, 32, 3), np.uint8)
    return encode_image(cv2.resize(image, (64, 48)), ImageConfig())


TRACE = Trace.of(*(np.linspace(0, 1, 40) for _ in range(3)), np.ones(40), np.ones(40))
WORDS = tuple(Word(text="opacity", start_s=n, end_s=n + 0.5, probability=0.5) for n in range(20))
TRANSCRIPT = Transcript(
    language="en", duration_s=30, speech_s=20, model="tiny", words=WORDS, segments=()
)
IMAGES = [_jpeg(seed) for seed in range(SAMPLES_AN_ITEM)]


def _sample(origin: Provenance, index: int) -> dict[str, Any]:
    narration = Narration(
        scene=index,
        kind="roi",
        text="this opacity",
        raw_text="this opacity",
        start_s=1.0,
        end_s=1.75,
        words=WORDS,
        negated=False,
        deictic=True,
        trace=TRACE,
        boxes=(ScoredBox(x0=0.25, y0=0.5, x1=0.5, y1=0.75, score=1, n_points=3, method="dwell"),),
    )
    draft = SampleDraft(
        index=index,
        image=IMAGES[index],
        suffix="jpg",
        sha256=f"{index:064x}",
        phash=f"{index:016x}",
        contrast=20.0,
        sharpness=30.0,
        scenes=[Scene(index, 1.0, 9.0, "", 64, 48, (0, 0, 64, 48), 0, TRACE)],
        narrations=[narration],
    )
    return sample_row(draft, [sample_id(origin.item.id, index)], origin)


def _plain_s(store: ObjectStore, folder: Path, manifests: Sequence[Manifest]) -> float:
    """Seconds to read a batch's files and write the same bytes as one file a table."""
    began_s = time.perf_counter()
    for table in TABLES:
        files = [file for m in manifests for file in m.files if file.table == table]
        store.write("plain", b"".join(store.read(f"{table}/{file.path}") for file in files))
    return time.perf_counter() - began_s


def _memory() -> dict[str, float]:
    process = psutil.Process()
    children = process.children(recursive=True)
    return {
        "RSS bytes": process.memory_info().rss,
        "children": len(children),
    }


def _files(store: ObjectStore) -> dict[str, float]:
    live = entries = 0
    open_s = 0.0
    for table in TABLES:
        began_s = time.perf_counter()
        handle = Dataset(store).table(table)
        open_s += time.perf_counter() - began_s
        if handle is not None:
            live += len(handle.file_uris())
        entries += sum(1 for _ in store.keys(f"{table}/_delta_log"))
    began_s = time.perf_counter()
    Dataset(store).known()
    return {
        "live files": live,
        "log entries": entries,
        "open all tables ms": open_s * 1e3,
        "list what is in ms": (time.perf_counter() - began_s) * 1e3,
    }


def _show(step: dict[str, float]) -> dict[str, float]:
    shown = " ".join(f"{name} {value:.1f}," for name, value in step.items() if name != "RSS bytes")
    print(f"{shown} RSS {step['RSS bytes'] / 2**20:.0f} MiB", flush=True)
    return step


@contextmanager
def _store(folder: Path, *, on_s3: bool) -> Iterator[ObjectStore]:
    if not on_s3:
        yield open_store(str(folder / "out"))
        return
    from tests.support.s3 import KEYS, make_bucket, s3_server

    with s3_server(folder / "server.log") as url:
        os.environ.update({**KEYS, "AWS_ENDPOINT_URL": url, "AWS_ALLOW_HTTP": "true"})
        make_bucket(url, "commits")
        yield open_store("s3://commits/data", StorageConfig(endpoint_url=url))


if __name__ == "__main__":
    main()
