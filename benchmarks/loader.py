"""Samples a CPU second of the training loader, beside its limit and what others would use.

All readers deliver batches of 224-pixel pictures of the same 256-pixel JPEGs, decoded by the same
calls, each in a process of its own with one thread for decoding. Two figures each: of the epoch
alone (from asking for the first batch to the last), and with its start (imports, index, handles)
counted in. CPU seconds are those of the whole process tree, so that ratios hold on a busy machine.
The limit is a loop over pyarrow row groups with OpenCV, in the order of the files.

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
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.machine import about
from benchmarks.pairs import Pair, write_pairs
from medpipe.storage import StorageConfig, open_store

RESULTS = Path(__file__).parent / "results"
SIDE_PX, BATCH = 224, 256

Reader = Callable[[Path], Iterator[int]]


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


def decoded(data: Any, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """What every reader makes of a picture."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    small = cv2.resize(image, (SIDE_PX, SIDE_PX), dst=out, interpolation=cv2.INTER_LINEAR)
    return np.asarray(small, np.uint8)


def parquet_files(folder: Path) -> list[Path]:
    """Files of the dataset's samples."""
    return sorted((folder / "dataset" / "samples").glob("*.parquet"))


def read_limit(folder: Path) -> Iterator[int]:
    """Row groups one after the other, pictures decoded into batches, captions left in Arrow."""
    return _batched(parquet_files(folder))


def _batched(files: Iterable[Any]) -> Iterator[int]:
    columns = ["image.bytes", "narrations.list.element.text"]
    count, batch = 0, np.empty((BATCH, SIDE_PX, SIDE_PX, 3), np.uint8)
    for opened in files:
        file = pq.ParquetFile(opened, pre_buffer=True)
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=columns, use_threads=False)
            for data in table["image"].combine_chunks().field("bytes"):
                decoded(data.as_buffer(), batch[count])
                count += 1
                if count == BATCH:
                    yield count
                    count, batch = 0, np.empty_like(batch)
    yield count


def read_ours(folder: Path) -> Iterator[int]:
    """The training loader: shuffled, captions chosen, tokens made."""
    return _through_loader(str(folder / "dataset"), None)


def _through_loader(uri: str, storage: StorageConfig | None) -> Iterator[int]:
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
    return (len(batch) for _, batch in loader.batches(Cursor(0, 0), 1))


def read_webdataset(folder: Path) -> Iterator[int]:
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
    return (len(images) for images, _ in source)


def read_hugging_face(folder: Path) -> Iterator[int]:
    """Hugging Face `datasets`, streaming the same Parquet files, pictures left encoded."""
    from datasets import Features, Image, Value, load_dataset

    files = [str(path) for path in parquet_files(folder)]
    features = Features({"image": Image(decode=False), "id": Value("string")})
    source = load_dataset(
        "parquet", data_files=files, split="train", streaming=True,
        columns=["image", "id"], features=features,
    ).shuffle(seed=0, buffer_size=1_000)  # fmt: skip
    return (
        len(np.stack([decoded(one["bytes"]) for one in batch["image"]]))
        for batch in source.iter(BATCH)
    )


def read_ray_data(folder: Path) -> Iterator[int]:
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
    batches = source.iter_torch_batches(
        batch_size=BATCH, collate_fn=collate, local_shuffle_buffer_size=1_000
    )
    return (len(batch) for batch in batches)


LOCAL: dict[str, Reader] = {
    "limit": read_limit,
    "ours": read_ours,
    "webdataset": read_webdataset,
    "hugging_face": read_hugging_face,
    "ray_data": read_ray_data,
}


class Spent(NamedTuple):
    """Seconds of a process tree and of the clock."""

    cpu_s: float
    wall_s: float

    @classmethod
    def now(cls) -> "Spent":
        """Up to now, children that live and those that ended."""
        me = psutil.Process()
        cpu_s = 0.0
        for one in (me, *me.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                cpu_s += sum(one.cpu_times()[:4])
        return cls(cpu_s, time.perf_counter())

    def since(self, before: "Spent") -> "Spent":
        """The difference."""
        return Spent(self.cpu_s - before.cpu_s, self.wall_s - before.wall_s)


def rates(
    readers: dict[str, Reader], folder: Path, rows: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Samples a CPU and a wall second of every reader, rounds interleaved, medians."""
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in readers}
    for _ in range(rounds):
        for name, reader in readers.items():
            taken[name].append(_rate(reader, folder, rows))
            print(
                name, {key: round(value, 1) for key, value in taken[name][-1].items()}, flush=True
            )
    found = {
        name: {key: statistics.median(one[key] for one in runs) for key in runs[0]}
        for name, runs in taken.items()
    }
    for name, runs in taken.items():
        for key in ("samples_a_cpu_s", "with_start_samples_a_cpu_s"):
            shares = [
                one[key] / limit[key] for one, limit in zip(runs, taken["limit"], strict=True)
            ]
            found[name][key.replace("samples_a_cpu_s", "over_limit")] = statistics.median(shares)
    return found


def _rate(reader: Reader, folder: Path, rows: int) -> dict[str, float]:
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    process = context.Process(target=_measured, args=(reader, folder, said))
    process.start()
    count, start, epoch = said.get()
    process.join()
    if count < rows - BATCH:
        raise RuntimeError(f"{reader.__name__} read {count} of {rows} rows")
    return {
        "samples_a_cpu_s": count / epoch.cpu_s,
        "samples_a_wall_s": count / epoch.wall_s,
        "start_cpu_s": start.cpu_s,
        "with_start_samples_a_cpu_s": count / (start.cpu_s + epoch.cpu_s),
    }


def _measured(reader: Reader, folder: Path, said: Any) -> None:
    """Run a reader in this process; what its start and what its epoch took."""
    cv2.setNumThreads(0)
    pa.set_cpu_count(1)
    began = Spent.now()
    batches = reader(folder)
    started = Spent.now()
    count = sum(batches)
    ended = Spent.now()
    said.put((count, started.since(began), ended.since(started)))


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


def read_limit_s3(folder: Path) -> Iterator[int]:
    """Row groups of the objects one after the other, by Arrow's own S3 client."""
    from pyarrow.fs import FileSelector, S3FileSystem

    far = S3FileSystem(
        endpoint_override=os.environ["BENCHMARK_S3"], scheme="http", region="us-east-1"
    )
    found = far.get_file_info(FileSelector("pairs/data/samples"))
    paths = sorted(one.path for one in found if one.path.endswith(".parquet"))
    return _batched(far.open_input_file(path) for path in paths)


def read_ours_s3(folder: Path) -> Iterator[int]:
    """The training loader on the same server."""
    storage = StorageConfig(endpoint_url=os.environ["BENCHMARK_S3"])
    return _through_loader("s3://pairs/data", storage)


def show(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    for place in ("local", "s3"):
        print(f"{place}: samples a CPU second, a wall second, share of the limit; CPU seconds of "
              "the start, share of the limit with it")  # fmt: skip
        for name, found in figures[place].items():
            print(f"  {name:14s} {found['samples_a_cpu_s']:8.0f} {found['samples_a_wall_s']:8.0f}"
                  f" {found['over_limit']:6.2f} {found['start_cpu_s']:8.1f}"
                  f" {found['with_start_over_limit']:6.2f}")  # fmt: skip
    print("first batch after", {k: round(v, 2) for k, v in figures["resume_at_90_percent"].items()})


if __name__ == "__main__":
    main()
