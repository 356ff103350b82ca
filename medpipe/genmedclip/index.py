"""What there is to train on: where each row lies, its domain and its video; built once, kept.

The index reads no picture and no text: file footers and a few thin columns. Small row groups of
one file that lie side by side are joined into one group here, read in one request.
"""

import hashlib
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from medpipe.errors import ConfigError
from medpipe.genmedclip.config import DataConfig
from medpipe.genmedclip.order import Rows
from medpipe.genmedclip.ranges import RangeFile
from medpipe.records import Domain
from medpipe.storage import ObjectStore

TABLE = "samples"
_GROUP_BYTES = 8 << 20  # a good size of a request to S3
_DOMAINS = [domain.value for domain in Domain]
_THIN = [
    "item_id", "phash", "duplicate_of", "domains.list.element.domain",
    "domains.list.element.score", "narrations.list.element.kind",
    "narrations.list.element.negated", "part_of", "parts",
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Rows that can be trained on, in a fixed order, as parallel arrays of length n.

    Attributes:
        files: Keys of the Parquet files in the dataset's store.
        file_bytes: (f,) int64, their sizes.
        group_file: (g,) int64, file of each group of rows that is read at once.
        group_first: (g,) int64, its first row group in the file.
        group_count: (g,) int64, its number of row groups.
        group_start: (g,) int64, its first byte in the file.
        group_stop: (g,) int64, the byte after its last.
        group: (n,) int64, group of each row.
        row_in_group: (n,) int64.
        domain: (n,) int64, the best-scored domain, as its place in `Domain`.
        video: (n,) int64, hash of the item id.
        clip: (n,) int64, hash of the picture (perceptual), the same for the same picture.
        held_back: (n,) bool, row belongs to the validation part (by item).
        version: Delta version that was read.
        fingerprint: 16 hex characters over files and groups; what a checkpoint is tied to.
    """

    files: tuple[str, ...]
    file_bytes: Rows
    group_file: Rows
    group_first: Rows
    group_count: Rows
    group_start: Rows
    group_stop: Rows
    group: Rows
    row_in_group: Rows
    domain: Rows
    video: Rows
    clip: Rows
    held_back: np.ndarray[Any, np.dtype[np.bool_]]
    version: int
    fingerprint: str

    def __len__(self) -> int:
        return len(self.group)

    def rows(self, *, held_back: bool) -> Rows:
        """Numbers of the rows of the training or of the validation part."""
        return np.flatnonzero(self.held_back == held_back).astype(np.int64)

    @property
    def mean_row_bytes(self) -> float:
        """Bytes that a row takes in the dataset."""
        return float((self.group_stop - self.group_start).sum()) / len(self)

    def domain_counts(self) -> dict[str, int]:
        """Training rows by domain."""
        numbers, counts = np.unique(self.domain[~self.held_back], return_counts=True)
        return {_DOMAINS[n]: int(c) for n, c in zip(numbers, counts, strict=True)}

    def to_bytes(self) -> bytes:
        """The index as one npz file."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            files=np.array(self.files, dtype=np.str_),
            version=np.array(self.version),
            fingerprint=np.array(self.fingerprint),
            **{name: getattr(self, name) for name in _ARRAYS},
        )
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Index":
        """Read what `to_bytes` made.

        Raises:
            ConfigError: Another version of medpipe made it.
        """
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            if not {*_ARRAYS} <= {*arrays.files}:
                raise ConfigError(
                    "the index of this run was made by another version of medpipe; "
                    "give a new --out, or go on with that version"
                )
            return cls(
                files=tuple(str(name) for name in arrays["files"]),
                version=int(arrays["version"]),
                fingerprint=str(arrays["fingerprint"]),
                **{name: arrays[name] for name in _ARRAYS},
            )


_OF_GROUPS = ("group_file", "group_first", "group_count", "group_start", "group_stop")
_OF_ROWS = ("row_in_group", "domain", "video", "clip", "held_back")
_ARRAYS = ("file_bytes", *_OF_GROUPS, "group", *_OF_ROWS)


def build_index(store: ObjectStore, config: DataConfig) -> Index:
    """List the rows of a dataset that the config lets take part.

    A row takes part when it is no duplicate, has a wanted domain and a narration of a kind with
    weight. Files stand in order of name, so the order of rows depends on the version only.

    Raises:
        ConfigError: There is no such dataset or version, or no row is left.
    """
    handle = _table(store, config.version)
    added = handle.get_add_actions(flatten=True)
    sizes = zip(added.column("path").to_pylist(), added.column("size_bytes").to_pylist(),
                strict=True)  # fmt: skip
    files = [(f"{TABLE}/{unquote(path)}", int(size_bytes)) for path, size_bytes in sorted(sizes)]
    with ThreadPoolExecutor(config.readers, thread_name_prefix="index") as pool:
        found = pool.map(partial(_file, store, config), range(len(files)), files)
        parts = [part for some in found for part in some]
    if not any(len(part["row_in_group"]) for part in parts):
        raise ConfigError(
            f"{store.uri} (version {handle.version()}) has no row to train on: a row needs a "
            "picture, a narration of a kind with weight and a wanted domain"
        )
    digest = hashlib.sha256("\n".join(key for key, _ in files).encode())
    shape = [(p["group_file"], p["group_first"], p["group_count"], p["rows"]) for p in parts]
    digest.update(np.array(shape).tobytes())
    counts = [len(part["row_in_group"]) for part in parts]
    arrays: dict[str, Any] = {
        name: np.array([part[name] for part in parts], np.int64) for name in _OF_GROUPS
    }
    arrays |= {name: np.concatenate([part[name] for part in parts]) for name in _OF_ROWS}
    return Index(
        files=tuple(key for key, _ in files),
        file_bytes=np.array([size_bytes for _, size_bytes in files], np.int64),
        group=np.repeat(np.arange(len(parts), dtype=np.int64), counts),
        version=handle.version(),
        fingerprint=digest.hexdigest()[:16],
        **arrays,
    )


def _table(store: ObjectStore, version: int | None) -> DeltaTable:
    try:
        return DeltaTable(
            store.table_uri(TABLE), version=version, storage_options=store.delta_options()
        )
    except TableNotFoundError as error:
        raise ConfigError(f"there is no dataset at {store.uri}") from error
    except DeltaError as error:
        raise ConfigError(f"cannot read version {version} of {store.uri}: {error}") from error


def _file(
    store: ObjectStore, config: DataConfig, number: int, file: tuple[str, int]
) -> list[dict[str, Any]]:
    """The groups of one file, by its key and size, with the rows that take part."""
    parquet = pq.ParquetFile(RangeFile(store, *file), pre_buffer=True)
    parts = []
    for place in _joined(parquet.metadata):
        numbers = range(place["group_first"], place["group_first"] + place["group_count"])
        table = parquet.read_row_groups([*numbers], columns=_THIN, use_threads=False)
        kept = np.flatnonzero(_takes_part(table, config)).astype(np.int64)
        ids = table["item_id"].to_pylist()
        pictures = table["phash"].to_pylist()
        parts.append({
            **place,
            "group_file": number,
            "rows": table.num_rows,
            "row_in_group": kept,
            "domain": _best_domain(table)[kept],
            "video": np.array([hashed(ids[row]) for row in kept], np.int64),
            "clip": np.array([hashed(pictures[row] or "") for row in kept], np.int64),
            "held_back": np.array(
                [_is_held_back(ids[row], config.validation_share) for row in kept], np.bool_
            ),
        })  # fmt: skip
    return parts


def _joined(footer: pq.FileMetaData) -> Iterator[dict[str, int]]:
    """Where the groups of a file lie: neighbours up to `_GROUP_BYTES`, or one that is larger."""
    extents = [_extent(footer.row_group(number)) for number in range(footer.num_row_groups)]
    first = 0
    for number, (_, stop) in enumerate(extents, 1):
        start = extents[first][0]
        if number == len(extents) or extents[number][1] - start > _GROUP_BYTES:
            yield {
                "group_first": first,
                "group_count": number - first,
                "group_start": start,
                "group_stop": stop,
            }
            first = number


def _extent(group: pq.RowGroupMetaData) -> tuple[int, int]:
    """First byte of a row group and the one after its last; columns stand in their order."""
    first, last = group.column(0), group.column(group.num_columns - 1)
    start = first.dictionary_page_offset or first.data_page_offset
    end = (last.dictionary_page_offset or last.data_page_offset) + last.total_compressed_size
    return start, end


def _takes_part(table: pa.Table, config: DataConfig) -> np.ndarray[Any, np.dtype[np.bool_]]:
    fit = pc.is_null(table["duplicate_of"]).to_numpy() & _is_wanted_picture(table, config)
    wanted_kinds = {kind for kind, weight in config.caption_weights().items() if weight > 0}
    told = np.zeros(table.num_rows, np.bool_)
    for row, narrations in enumerate(table["narrations"].to_pylist()):
        told[row] = any(
            n["kind"] in wanted_kinds and (config.negated or not n["negated"])
            for n in narrations or ()
        )
    fit = fit & told
    if config.domains:
        wanted = [_DOMAINS.index(domain.value) for domain in config.domains]
        fit &= np.isin(_best_domain(table), wanted)
    return np.asarray(fit, np.bool_)


def _is_wanted_picture(table: pa.Table, config: DataConfig) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Rows by `pictures`; files of before schema version 3 hold whole images only."""
    if "part_of" not in table.column_names:
        return np.full(table.num_rows, config.pictures != "parts")
    is_part = pc.is_valid(table["part_of"]).to_numpy()
    is_cut = pc.fill_null(pc.greater(table["parts"], 0), False).to_numpy()
    wanted = {
        "best": is_part | ~is_cut,
        "whole": ~is_part,
        "parts": is_part,
        "both": np.ones(table.num_rows, np.bool_),
    }
    return np.asarray(wanted[config.pictures], np.bool_)


def _best_domain(table: pa.Table) -> Rows:
    other = _DOMAINS.index(Domain.OTHER.value)
    best = [
        _DOMAINS.index(max(scores, key=lambda one: one["score"] or 0)["domain"])
        if scores
        else other
        for scores in table["domains"].to_pylist()
    ]
    return np.array(best, np.int64)


def _is_held_back(item_id: str, share: float) -> bool:
    """Whether an item belongs to the validation part: by its id, in every version."""
    place = int.from_bytes(hashlib.sha256(f"validation {item_id}".encode()).digest()[:4], "big")
    return place < share * 2**32


def hashed(text: str) -> int:
    """A signed 64-bit number for a text, the same everywhere."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
