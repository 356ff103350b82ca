"""What there is to train on: where each row lies, its domain and its video; built once, kept.

The index reads no picture and no text: file footers and a few thin columns.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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
from medpipe.records import Domain
from medpipe.storage import ObjectStore

TABLE = "samples"
_DOMAINS = [domain.value for domain in Domain]
_THIN = [
    "item_id", "phash", "duplicate_of", "domains.list.element.domain",
    "domains.list.element.score", "narrations.list.element.kind",
    "narrations.list.element.negated",
]  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Rows that can be trained on, in a fixed order, as parallel arrays of length n.

    Attributes:
        files: Keys of the Parquet files in the dataset's store.
        group_file: (g,) int64, file of each row group.
        group_in_file: (g,) int64, its number in the file.
        group: (n,) int64, row group of each row.
        row_in_group: (n,) int64.
        domain: (n,) int64, the best-scored domain, as its place in `Domain`.
        video: (n,) int64, hash of the item id.
        clip: (n,) int64, hash of the picture (perceptual), the same for the same picture.
        held_back: (n,) bool, row belongs to the validation part (by item).
        version: Delta version that was read.
        fingerprint: 16 hex characters over files and row groups; what a checkpoint is tied to.
    """

    files: tuple[str, ...]
    group_file: Rows
    group_in_file: Rows
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
        """Read what `to_bytes` made."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(
                files=tuple(str(name) for name in arrays["files"]),
                version=int(arrays["version"]),
                fingerprint=str(arrays["fingerprint"]),
                **{name: arrays[name] for name in _ARRAYS},
            )


_ARRAYS = (
    "group_file", "group_in_file", "group", "row_in_group", "domain", "video", "clip", "held_back",
)  # fmt: skip


def build_index(store: ObjectStore, config: DataConfig) -> Index:
    """List the rows of a dataset that the config lets take part.

    A row takes part when it is no duplicate, has a wanted domain and a narration of a kind with
    weight. Files stand in order of name, so the order of rows depends on the version only.

    Raises:
        ConfigError: There is no such dataset or version, or no row is left.
    """
    handle = _table(store, config.version)
    paths = sorted(handle.get_add_actions(flatten=True).column("path").to_pylist())
    files = tuple(f"{TABLE}/{unquote(path)}" for path in paths)
    parts = [part for n, key in enumerate(files) for part in _file(store, key, n, config)]
    if not any(len(part["row_in_group"]) for part in parts):
        raise ConfigError(
            f"{store.uri} (version {handle.version()}) has no row to train on: a row needs a "
            "picture, a narration of a kind with weight and a wanted domain"
        )
    sizes = [len(part["row_in_group"]) for part in parts]
    digest = hashlib.sha256("\n".join(files).encode())
    digest.update(np.array([(p["file"], p["number"], p["rows"]) for p in parts]).tobytes())
    joined = {
        name: np.concatenate([part[name] for part in parts])
        for name in ("row_in_group", "domain", "video", "clip", "held_back")
    }
    return Index(
        files=files,
        group_file=np.array([part["file"] for part in parts], np.int64),
        group_in_file=np.array([part["number"] for part in parts], np.int64),
        group=np.repeat(np.arange(len(parts), dtype=np.int64), sizes),
        version=handle.version(),
        fingerprint=digest.hexdigest()[:16],
        **joined,
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
    store: ObjectStore, key: str, file: int, config: DataConfig
) -> Iterator[Mapping[str, Any]]:
    """The row groups of one file with the rows that take part."""
    with store.input(key) as opened:
        parquet = pq.ParquetFile(opened, pre_buffer=False)
        for number in range(parquet.num_row_groups):
            table = parquet.read_row_group(number, columns=_THIN, use_threads=False)
            kept = np.flatnonzero(_takes_part(table, config)).astype(np.int64)
            domain = _best_domain(table)[kept]
            ids = table["item_id"].to_pylist()
            pictures = table["phash"].to_pylist()
            yield {
                "file": file,
                "number": number,
                "rows": table.num_rows,
                "row_in_group": kept,
                "domain": domain,
                "video": np.array([hashed(ids[row]) for row in kept], np.int64),
                "clip": np.array([hashed(pictures[row] or "") for row in kept], np.int64),
                "held_back": np.array(
                    [_is_held_back(ids[row], config.validation_share) for row in kept], np.bool_
                ),
            }


def _takes_part(table: pa.Table, config: DataConfig) -> np.ndarray[Any, np.dtype[np.bool_]]:
    fit = pc.is_null(table["duplicate_of"]).to_numpy()
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
