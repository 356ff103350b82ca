"""Groups of rows in memory: read ahead by threads, unpacked once, the least lately used dropped."""

import threading
from collections import OrderedDict
from concurrent.futures import Executor, Future
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from medpipe.genmedclip.index import Index
from medpipe.genmedclip.order import Rows
from medpipe.genmedclip.ranges import RangeFile
from medpipe.storage import ObjectStore

# Arrow's default pool asks for huge pages, and the system clears more of them than groups fill that
# stay in memory: reading takes twice as long.
pa.set_memory_pool(pa.system_memory_pool())

_FOOTERS = 64  # held at a time
_TEXTS = ["kind", "text", "negated"]
_PLACES = ["boxes.list.element.xyxy", "trace.t_s", "trace.x", "trace.y", "trace.confidence"]
_TRACE = ("t_s", "x", "y", "confidence")
_STRING_BYTES = 64  # what a Python string takes beside its characters


class Record(NamedTuple):
    """One row.

    Attributes:
        image: Encoded picture.
        size_px: Width and height as encoded.
        narrations: As in the dataset, cut down to what training looks at.
    """

    image: memoryview
    size_px: tuple[int, int]
    narrations: list[dict[str, Any]]


class Group:
    """Rows that were read at once.

    Args:
        table: Columns `image`, `width_px`, `height_px` and `narrations`.
    """

    def __init__(self, table: pa.Table) -> None:
        self._images = [one for part in table["image"].chunks for one in _pictures(part)]
        self._widths = table["width_px"].to_pylist()
        self._heights = table["height_px"].to_pylist()
        told = table["narrations"].combine_chunks()
        self._bounds = told.offsets.to_pylist()
        fields = {field.name: told.values.field(field.name) for field in told.type.value_type}
        self._kinds, self._texts, self._negated = (fields[name].to_pylist() for name in _TEXTS)
        self._boxes = _Boxes(fields["boxes"]) if "boxes" in fields else None
        self._traces = _Traces(fields["trace"]) if "trace" in fields else None
        self.held_bytes = table.nbytes + told.nbytes + _STRING_BYTES * len(self._texts)

    def record(self, row: int) -> Record:
        """One of its rows."""
        told = range(self._bounds[row], self._bounds[row + 1])
        return Record(
            self._images[row],
            (self._widths[row], self._heights[row]),
            [self._narration(number) for number in told],
        )

    def _narration(self, number: int) -> dict[str, Any]:
        narration = {
            "kind": self._kinds[number],
            "text": self._texts[number],
            "negated": self._negated[number],
        }
        if self._boxes is not None and self._traces is not None:
            narration["boxes"] = self._boxes.of(number)
            narration["trace"] = self._traces.of(number)
        return narration


class _Boxes:
    """The first box of each narration, the only one that is looked at."""

    def __init__(self, boxes: pa.ListArray) -> None:
        self._bounds = boxes.offsets.to_numpy()
        corners = boxes.values.field("xyxy")
        self._places, self._corners = corners.offsets.to_numpy(), corners.values.to_numpy()

    def of(self, number: int) -> list[dict[str, Any]]:
        start, stop = self._bounds[number : number + 2]
        if start == stop:
            return []
        place = self._places[start]
        return [{"xyxy": self._corners[place : place + 4].tolist()}]


class _Traces:
    """The trace of each narration, as slices of flat arrays."""

    def __init__(self, traces: pa.StructArray) -> None:
        lists = {name: traces.field(name) for name in _TRACE}
        self._columns = {
            name: (one.offsets.to_numpy(), one.values.to_numpy()) for name, one in lists.items()
        }

    def of(self, number: int) -> dict[str, Any]:
        return {
            name: values[bounds[number] : bounds[number + 1]]
            for name, (bounds, values) in self._columns.items()
        }


class Groups:
    """Groups of an index by number; safe for several threads.

    Args:
        store: Of the dataset.
        index: Where the groups lie.
        cache_bytes: What may stay in memory, beside one group.
        places: Whether boxes and traces are wanted.
    """

    def __init__(self, store: ObjectStore, index: Index, cache_bytes: int, *, places: bool) -> None:
        self._store = store
        self._index = index
        self._cache_bytes = cache_bytes
        fields = _TEXTS + (_PLACES if places else [])
        self._columns = ["image.bytes", "width_px", "height_px"]
        self._columns += [f"narrations.list.element.{field}" for field in fields]
        self._lock = threading.Lock()
        self._held: OrderedDict[int, Future[Group]] = OrderedDict()
        self.held_bytes = 0
        self._footer = lru_cache(_FOOTERS)(self._read_footer)

    def ahead(self, rows: Rows, pool: Executor) -> None:
        """Have the groups of rows of the index read that are not in memory."""
        for number in np.unique(self._index.group[rows]).tolist():
            future, mine = self._claimed(number)
            if mine:
                pool.submit(self._fill, number, future)

    def group(self, number: int) -> Group:
        """A group, from memory or read now."""
        future, mine = self._claimed(number)
        if mine:
            self._fill(number, future)
        return future.result()

    def _claimed(self, number: int) -> tuple[Future[Group], bool]:
        """The group now or later, and whether the caller has to read it."""
        with self._lock:
            future = self._held.get(number)
            if future is not None:
                self._held.move_to_end(number)
                return future, False
            future = self._held[number] = Future()
            return future, True

    def _fill(self, number: int, future: Future[Group]) -> None:
        try:
            group = self._read(number)
        except BaseException as error:
            with self._lock:
                del self._held[number]
            future.set_exception(error)
            raise
        future.set_result(group)
        self._keep_to_budget(group.held_bytes)

    def _read(self, number: int) -> Group:
        index = self._index
        file = int(index.group_file[number])
        start, stop = int(index.group_start[number]), int(index.group_stop[number])
        data = self._store.read_range(index.files[file], start, stop)
        source = RangeFile(self._store, index.files[file], int(index.file_bytes[file]), data, start)
        parquet = pq.ParquetFile(source, metadata=self._footer(file), pre_buffer=True)
        first, count = int(index.group_first[number]), int(index.group_count[number])
        numbers = [*range(first, first + count)]
        return Group(parquet.read_row_groups(numbers, columns=self._columns, use_threads=False))

    def _read_footer(self, file: int) -> pq.FileMetaData:
        key, size_bytes = self._index.files[file], int(self._index.file_bytes[file])
        return pq.read_metadata(RangeFile(self._store, key, size_bytes))

    def _keep_to_budget(self, added_bytes: int) -> None:
        with self._lock:
            self.held_bytes += added_bytes
            while self.held_bytes > self._cache_bytes and len(self._held) > 1:
                number, future = next(iter(self._held.items()))
                if not future.done():
                    break
                del self._held[number]
                self.held_bytes -= future.result().held_bytes


def _pictures(images: pa.StructArray) -> list[memoryview]:
    """The encoded pictures of a chunk, without a copy."""
    encoded = images.field("bytes")
    _, bounds, data = encoded.buffers()
    offsets = np.frombuffer(bounds, np.int32)[encoded.offset :][: len(encoded) + 1].tolist()
    whole = memoryview(data)
    return [whole[start:stop] for start, stop in pairwise(offsets)]
