"""Samples a CPU second of the training loader, beside its limit and what others would use.

All readers deliver pictures of 224 pixels of the same 256-pixel JPEGs with a caption, each in a
process of its own with one thread for decoding; CPU seconds of the whole process tree, so that
ratios hold on a busy machine. The limit is a loop over pyarrow row groups with OpenCV.

    python -m benchmarks.loader [--rows 50000] [--rounds 3]
"""

import argparse
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.machine import about
from benchmarks.pairs import Pair, write_pairs
from medpipe.storage import StorageConfig, open_store

RESULTS = Path(__file__).parent / "results"
SIDE_PX, BATCH = 224, 256


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--s3-rows", type=int, default=5_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, options.rows)
        figures = {
            **about(),
            "rows": options.rows,
            "local": rates(LOCAL, folder, options.rows, options.rounds),
            "resume_at_90_percent": resumed(folder, options.rows),
            "s3": over_s3(folder, options.s3_rows, options.rounds),
        }
    show(figures)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "loader.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def pictures(count: int) -> list[bytes]:
    """JPEGs of 256 pixels that are as hard to decode as photographs."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(count):
        soft = cv2.resize(random.normal(128, 60, (24, 24, 3)).astype(np.float32), (256, 256))
        fine = soft + random.normal(0, 10, (256, 256, 3))
        ok, data = cv2.imencode(".jpg", np.clip(fine, 0, 255).astype(np.uint8),
                                [cv2.IMWRITE_JPEG_QUALITY, 90])  # fmt: skip
        if not ok:
            raise RuntimeError("OpenCV cannot encode JPEG")
        found.append(data.tobytes())
    return found


def pairs(rows: int) -> Iterator[Pair]:
    """Pictures with captions; pictures repeat, rows do not."""
    some = pictures(400)
    for row in range(rows):
        told = f"here we look at case {row} and notice an opacity in the {row % 97} th field"
        yield Pair(some[row % len(some)], (told,), "xray")


def prepare(folder: Path, rows: int) -> None:
    """The same rows as a dataset, as tar shards and as Arrow for Hugging Face."""
    import webdataset

    write_pairs(open_store(str(folder / "dataset")), pairs(rows), an_item=2_000)
    (folder / "tar").mkdir()
    with webdataset.ShardWriter(f"{folder}/tar/%05d.tar", maxcount=2_000, verbose=0) as sink:
        for row, pair in enumerate(pairs(rows)):
            sink.write({"__key__": f"{row:08d}", "jpg": pair.image, "txt": pair.captions[0]})


def decoded(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What every reader makes of a picture."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    small = cv2.resize(image, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2RGB), np.uint8)


def parquet_files(folder: Path) -> list[Path]:
    """Files of the dataset's samples."""
    return sorted((folder / "dataset" / "samples").glob("*.parquet"))


def read_limit(folder: Path) -> int:
    """Row groups one after the other, pictures decoded into batches, captions left in Arrow."""
    return _batched(path.open("rb") for path in parquet_files(folder))


def _batched(files: Iterable[IO[bytes]]) -> int:
    count, batch = 0, np.empty((BATCH, SIDE_PX, SIDE_PX, 3), np.uint8)
    columns = ["image.bytes", "narrations.list.element.text"]
    for opened in files:
        with opened:
            file = pq.ParquetFile(opened, pre_buffer=True)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=columns, use_threads=False)
                for data in table["image"].combine_chunks().field("bytes"):
                    if count % BATCH == 0:
                        batch = np.empty_like(batch)
                    batch[count % BATCH] = decoded(data.as_py())
                    count += 1
    return count


def read_ours(folder: Path) -> int:
    """The training loader: shuffled, captions chosen, tokens made."""
    return _through_loader(str(folder / "dataset"), None, 0.0)


def _through_loader(uri: str, storage: StorageConfig | None, start: float) -> int:
    from medpipe.genmedclip import DataConfig, ModelConfig
    from medpipe.genmedclip.index import build_index
    from medpipe.genmedclip.loader import Loader, Wanted
    from medpipe.genmedclip.models import build
    from medpipe.genmedclip.order import Cursor

    store = open_store(uri, storage)
    config = DataConfig(uri=uri, threads=1, min_scale=1.0, validation_share=0.0)
    loader = Loader(
        store, build_index(store, config), config, Wanted(SIDE_PX),
        build(ModelConfig(name="tiny")).tokenize, seed=0, global_batch=BATCH,
    )  # fmt: skip
    first = Cursor(0, int(loader.batches_an_epoch * start))
    return sum(len(batch) for _, batch in loader.batches(first, 1))


def read_webdataset(folder: Path) -> int:
    """WebDataset with a shuffle buffer, decoding by OpenCV as the others do."""
    import webdataset

    shards = sorted(str(path) for path in (folder / "tar").glob("*.tar"))
    source = (
        webdataset.WebDataset(shards, shardshuffle=len(shards), empty_check=False)
        .shuffle(1_000)
        .to_tuple("jpg", "txt")
        .map_tuple(decoded, bytes.decode)
        .batched(BATCH)
    )
    return sum(len(images) for images, _ in source)


def read_hugging_face(folder: Path) -> int:
    """Hugging Face `datasets`, streaming the same Parquet files, pictures left encoded."""
    from datasets import Features, Image, Value, load_dataset

    files = [str(path) for path in parquet_files(folder)]
    features = Features({"image": Image(decode=False), "id": Value("string")})
    source = load_dataset(
        "parquet", data_files=files, split="train", streaming=True,
        columns=["image", "id"], features=features,
    ).shuffle(seed=0, buffer_size=1_000)  # fmt: skip
    count = 0
    for batch in source.iter(BATCH):
        count += len(np.stack([decoded(one["bytes"]) for one in batch["image"]]))
    return count


def read_ray_data(folder: Path) -> int:
    """Ray Data's batches for torch, decoded in its collate function."""
    import ray
    import torch

    os.environ["RAY_AUTH_MODE"] = "disabled"  # else Ray writes a token into the home folder
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False

    def collate(batch: dict[str, Any]) -> torch.Tensor:
        return torch.from_numpy(np.stack([decoded(one["bytes"]) for one in batch["image"]]))

    source = ray.data.read_parquet(
        [str(path) for path in parquet_files(folder)], columns=["image", "id"]
    )
    count = 0
    for batch in source.iter_torch_batches(
        batch_size=BATCH, collate_fn=collate, local_shuffle_buffer_size=1_000
    ):
        count += len(batch)
    ray.shutdown()
    return count


LOCAL = {
    "limit": read_limit,
    "ours": read_ours,
    "webdataset": read_webdataset,
    "hugging_face": read_hugging_face,
    "ray_data": read_ray_data,
}


def rates(
    readers: dict[str, Callable[[Path], int]], folder: Path, rows: int, rounds: int
) -> dict[str, Any]:
    """Samples a CPU second and a wall second of every reader, rounds interleaved, medians."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, reader in readers.items():
            taken[name].append(_rate(reader, folder, rows))
    cpu = {name: statistics.median(one[0] for one in found) for name, found in taken.items()}
    return {
        name: {
            "samples_a_cpu_s": cpu[name],
            "samples_a_wall_s": statistics.median(one[1] for one in found),
            "over_limit": cpu[name] / cpu["limit"],
        }
        for name, found in taken.items()
    }


def _rate(reader: Callable[[Path], int], folder: Path, rows: int) -> tuple[float, float]:
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    process = context.Process(target=_measured, args=(reader, folder, said))
    process.start()
    count, cpu_s, wall_s = said.get()
    process.join()
    if count < rows - BATCH:
        raise RuntimeError(f"{reader.__name__} read {count} of {rows} rows")
    return count / cpu_s, count / wall_s


def _measured(reader: Callable[[Path], int], folder: Path, said: Any) -> None:
    """Run a reader in this process; CPU seconds of it and of all that it started and ended."""
    cv2.setNumThreads(0)
    pa.set_cpu_count(1)
    before, began_s = os.times(), time.perf_counter()
    count = reader(folder)
    after, wall_s = os.times(), time.perf_counter() - began_s
    said.put((count, sum(after[:4]) - sum(before[:4]), wall_s))


def resumed(folder: Path, rows: int) -> dict[str, float]:
    """Wall seconds to the first batch at 90 % of an epoch, and at its start."""
    found = {}
    for name, start in (("at_start", 0.0), ("at_90_percent", 0.9)):
        found[name] = _first_batch_s(str(folder / "dataset"), start)
    return found


def _first_batch_s(uri: str, start: float) -> float:
    from medpipe.genmedclip import DataConfig, ModelConfig
    from medpipe.genmedclip.index import Index, build_index
    from medpipe.genmedclip.loader import Loader, Wanted
    from medpipe.genmedclip.models import build
    from medpipe.genmedclip.order import Cursor

    store = open_store(uri)
    config = DataConfig(uri=uri, threads=1, validation_share=0.0)
    kept = build_index(store, config).to_bytes()
    tokenize = build(ModelConfig(name="tiny")).tokenize
    began_s = time.perf_counter()
    index = Index.from_bytes(kept)
    loader = Loader(store, index, config, Wanted(SIDE_PX), tokenize, seed=0, global_batch=BATCH)
    next(loader.batches(Cursor(0, int(loader.batches_an_epoch * start)), 1))
    return time.perf_counter() - began_s


def over_s3(folder: Path, rows: int, rounds: int) -> dict[str, Any]:
    """Ours and the raw loop on the same S3 server, bytes cold each time."""
    from tests.support.s3 import KEYS, make_bucket, s3_server

    os.environ |= KEYS
    with s3_server(folder / "s3.log") as url:
        make_bucket(url, "pairs")
        os.environ["BENCHMARK_S3"] = url
        store = open_store("s3://pairs/data", StorageConfig(endpoint_url=url))
        write_pairs(store, pairs(rows), an_item=1_000)
        return rates({"limit": read_limit_s3, "ours": read_ours_s3}, folder, rows, rounds)


def read_limit_s3(folder: Path) -> int:
    """Row groups of the objects one after the other."""
    store = open_store("s3://pairs/data", StorageConfig(endpoint_url=os.environ["BENCHMARK_S3"]))
    keys = [key for key in store.keys("samples") if key.endswith(".parquet")]
    return _batched(store.input(key) for key in keys if "_delta_log" not in key)


def read_ours_s3(folder: Path) -> int:
    """The training loader on the same server."""
    storage = StorageConfig(endpoint_url=os.environ["BENCHMARK_S3"])
    return _through_loader("s3://pairs/data", storage, 0.0)


def show(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    for place in ("local", "s3"):
        print(f"{place}: samples a CPU second, a wall second, share of the limit")
        for name, found in figures[place].items():
            print(f"  {name:14s} {found['samples_a_cpu_s']:8.0f} {found['samples_a_wall_s']:8.0f}"
                  f" {found['over_limit']:6.2f}")  # fmt: skip
    print("first batch after", {k: round(v, 2) for k, v in figures["resume_at_90_percent"].items()})


if __name__ == "__main__":
    main()
