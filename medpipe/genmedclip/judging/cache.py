"""Keeps embeddings and what else is costly as Parquet files, and trusts none it cannot verify."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medpipe.genmedclip.judging.contract import Floats
from medpipe.storage import ObjectStore

logger = logging.getLogger(__name__)

_FORMAT = "1"


class CacheWriter:
    """Writes one cached table batch by batch, with a hash over all of them at its end."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._digest = hashlib.sha256()

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self._digest.update(_content(batch))
        self._writer.write_batch(batch)

    def seal(self) -> None:
        """Put the hash into the footer."""
        self._writer.add_key_value_metadata(
            {"medpipe.format": _FORMAT, "medpipe.content_sha256": self._digest.hexdigest()}
        )


class Cache:
    """Cached tables under one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @contextmanager
    def writing(self, key: str, schema: pa.Schema) -> Iterator[CacheWriter]:
        """A table that appears under its key when the block ends without an error."""
        with (
            self._store.output(key) as file,
            pq.ParquetWriter(file, schema, compression="zstd") as parquet,
        ):
            writer = CacheWriter(parquet)
            yield writer
            writer.seal()

    def load(self, key: str) -> pa.Table | None:
        """A table that is there and whole; None otherwise, and then it is made again."""
        if not self._store.exists(key):
            return None
        try:
            with self._store.input(key) as file:
                parquet = pq.ParquetFile(file)
                batches = list(parquet.iter_batches(use_threads=False))
                stated = parquet.metadata.metadata or {}
                schema = parquet.schema_arrow
        except (pa.ArrowInvalid, OSError) as error:
            logger.warning("cached %s cannot be read and is made again: %s", key, error)
            return None
        digest = hashlib.sha256()
        for batch in batches:
            digest.update(_content(batch))
        sealed = (_FORMAT.encode(), digest.hexdigest().encode())
        if (stated.get(b"medpipe.format"), stated.get(b"medpipe.content_sha256")) != sealed:
            logger.warning("cached %s does not match its hash and is made again", key)
            return None
        return pa.Table.from_batches(batches, schema)


def _content(batch: pa.RecordBatch) -> bytes:
    """Bytes that stand for the rows, whatever batches they were read in.

    Row by row: a Parquet reader cuts batches where it likes.
    """
    digests = bytearray()
    columns = [_column_bytes(batch.column(i)) for i in range(batch.num_columns)]
    for row in zip(*columns, strict=True):
        digests += b"".join(row)
    return bytes(digests)


def _column_bytes(column: pa.Array) -> list[bytes]:
    if pa.types.is_fixed_size_list(column.type):
        width = column.type.list_size
        return [row.tobytes() for row in column.flatten().to_numpy().reshape(-1, width)]
    return [repr(value).encode() for value in column.to_pylist()]


def vectors(table: pa.Table, name: str) -> Floats:
    """(n, d) float32 of a column of fixed-size lists."""
    column = table.column(name).combine_chunks()
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(table.num_rows, column.type.list_size)


def vector_array(values: Floats) -> pa.Array:
    """A column of fixed-size lists of (n, d) float32."""
    flat = pa.array(np.ascontiguousarray(values, np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
