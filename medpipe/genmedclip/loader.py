"""Reads batches in the order of training: groups of rows once, both read and decoded ahead."""

import logging
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medpipe.genmedclip.captions import Choice, choose, relative, whole
from medpipe.genmedclip.config import DataConfig
from medpipe.genmedclip.groups import Groups, Record
from medpipe.genmedclip.index import Index, hashed
from medpipe.genmedclip.models import Tokenizer
from medpipe.genmedclip.order import Cursor, Order, Rows, advanced, mixed, share_of
from medpipe.genmedclip.pictures import cut, density
from medpipe.storage import ObjectStore

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch must hold.

    Attributes:
        image_px: Side of the square pictures.
        grid: Rows and columns of patches when regions or traces are learned from, else None.
        sigma: Blur of a trace's density, share of the side.
    """

    image_px: int
    grid: tuple[int, int] | None = None
    sigma: float = 0.06


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One worker's part of a global batch of b samples in all.

    Attributes:
        rows: (b,) int64, numbers of the rows in the index.
        images: (b, side, side, 3) uint8 RGB.
        tokens: (b, context) int64.
        keys: (b, 3) int64: hashes of video, clip and caption.
        domain: (b,) int64.
        phrases: (b, context) int64; all zeros without a region. None when not wanted.
        boxes: (b, 4) float32 xyxy shares of the cut picture.
        phrase_keys: (b, 3) int64: hashes of video, clip and phrase.
        pointed: (b,) bool, the sample has a phrase with a box inside the cut.
        density: (b, rows, columns) float32, zeros without a trace.
    """

    rows: Tensor
    images: Tensor
    tokens: Tensor
    keys: Tensor
    domain: Tensor
    phrases: Tensor | None = None
    phrase_keys: Tensor | None = None
    boxes: Tensor | None = None
    pointed: Tensor | None = None
    density: Tensor | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, start: int, stop: int) -> "Batch":
        """Some of the samples."""
        return self._each(lambda tensor: tensor[start:stop])

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        if device.type == "cpu":
            return self
        return self._each(lambda tensor: tensor.pin_memory().to(device, non_blocking=True))

    def _each(self, act: Any) -> "Batch":
        fields: dict[str, Any] = {name: getattr(self, name) for name in Batch.__slots__}
        acted: dict[str, Any] = {k: None if v is None else act(v) for k, v in fields.items()}
        return Batch(**acted)


class Loader:
    """Batches of one worker.

    Args:
        store: Of the dataset.
        index: What there is.
        config: Captions, cuts, threads.
        wanted: What a batch must hold.
        tokenize: Of the model.
        seed: Of order, captions and cuts.
        global_batch: Samples of a step over all workers.
        rank: Of this worker.
        world_size: Workers now; the batches are the same for any number.
    """

    def __init__(
        self,
        store: ObjectStore,
        index: Index,
        config: DataConfig,
        wanted: Wanted,
        tokenize: Tokenizer,
        *,
        seed: int,
        global_batch: int,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self._index = index
        self._config = config
        self._wanted = wanted
        self._tokenize = tokenize
        self._seed = seed
        self._global_batch = global_batch
        self._rank, self._world_size = rank, world_size
        self._train = index.rows(held_back=False)
        # Two: batches are made ahead into the next epoch while this one is still told of.
        self._order = lru_cache(2)(self._make_order)
        places = wanted.grid is not None or config.crop_share > 0
        self._groups = Groups(store, index, config.cache_bytes, places=places)
        self._pixels = _Pixels(wanted.image_px)
        self._window_rows = self._rows_of_a_window()

    @property
    def batches_an_epoch(self) -> int:
        """Global batches of an epoch."""
        return len(self._train) // self._global_batch

    @property
    def held_bytes(self) -> int:
        """Encoded rows in memory now."""
        return self._groups.held_bytes

    def batches(self, cursor: Cursor, epochs: int) -> Iterator[tuple[Cursor, Batch]]:
        """This worker's part of every global batch from a cursor on, made ahead by threads.

        Args:
            cursor: The first batch.
            epochs: Where to stop.

        Yields:
            The batch's own cursor, and the batch.
        """
        config = self._config
        with (
            ThreadPoolExecutor(config.readers, thread_name_prefix="reader") as readers,
            ThreadPoolExecutor(config.threads, thread_name_prefix="decoder") as decoders,
        ):
            read: deque[tuple[Cursor, Rows]] = deque()
            made: deque[tuple[Cursor, Future[Batch]]] = deque()
            for place, rows in self._places(cursor, epochs):
                self._groups.ahead(rows, readers)
                read.append((place, rows))
                if len(read) > config.prefetch:
                    made.append(self._submitted(decoders, *read.popleft()))
                if len(made) > config.prefetch:
                    first, future = made.popleft()
                    yield first, future.result()
            made.extend(self._submitted(decoders, *one) for one in read)
            while made:
                first, future = made.popleft()
                yield first, future.result()

    def global_rows(self, cursor: Cursor) -> Rows:
        """Numbers of the rows of a global batch."""
        return self._train[self._order(cursor.epoch).batch(cursor.batch)]

    def read(self, rows: Rows, epoch: int | None) -> Batch:
        """Read rows with the captions and cuts of an epoch; None: as validation sees them."""
        pixels = self._pixels.take(len(rows))
        groups, places = self._index.group[rows].tolist(), self._index.row_in_group[rows].tolist()
        choices = [
            self._fill(row, self._groups.group(group).record(place), epoch, image)
            for row, group, place, image in zip(rows.tolist(), groups, places, pixels, strict=True)
        ]
        texts = [choice.text for choice in choices]
        batch = Batch(
            rows=torch.from_numpy(rows),
            images=torch.from_numpy(pixels),
            tokens=self._tokenize(texts),
            keys=self._keys(rows, texts),
            domain=torch.from_numpy(self._index.domain[rows]),
        )
        return batch if self._wanted.grid is None else self._with_places(batch, choices)

    def _with_places(self, batch: Batch, choices: list[Choice]) -> Batch:
        """Add phrases, boxes and densities."""
        grid = self._wanted.grid
        assert grid is not None
        boxes = np.array([relative(c.box, c.crop) for c in choices], np.float32)
        sides = boxes[:, 2:] - boxes[:, :2]
        pointed = np.array([bool(c.phrase) for c in choices]) & (sides > 0).all(axis=1)
        heat = np.stack([density(c.trace, c.crop, grid, self._wanted.sigma) for c in choices])
        phrases = [c.phrase for c in choices]
        return replace(
            batch,
            phrases=self._tokenize(phrases),
            phrase_keys=self._keys(batch.rows.numpy(), phrases),
            boxes=torch.from_numpy(boxes),
            pointed=torch.from_numpy(pointed),
            density=torch.from_numpy(heat),
        )

    def _keys(self, rows: Rows, texts: Sequence[str]) -> Tensor:
        """(b, 3) hashes of video, clip and text."""
        told = np.array([hashed(text.strip().lower()) for text in texts], np.int64)
        return torch.from_numpy(
            np.stack([self._index.video[rows], self._index.clip[rows], told], axis=1)
        )

    def _submitted(
        self, pool: ThreadPoolExecutor, place: Cursor, rows: Rows
    ) -> tuple[Cursor, Future[Batch]]:
        return place, pool.submit(self.read, rows, place.epoch)

    def _places(self, cursor: Cursor, epochs: int) -> Iterator[tuple[Cursor, Rows]]:
        while cursor.epoch < epochs:
            rows = share_of(self.global_rows(cursor), self._rank, self._world_size)
            yield cursor, rows
            cursor = advanced(cursor, self.batches_an_epoch)

    def _make_order(self, epoch: int) -> Order:
        return Order(
            self._index.group[self._train],
            self._index.domain[self._train],
            global_batch=self._global_batch,
            seed=self._seed,
            epoch=epoch,
            alpha=self._config.domain_alpha,
            window_rows=self._window_rows,
        )

    def _rows_of_a_window(self) -> int:
        """Rows that are shuffled among each other: the same for any number of workers."""
        row_bytes = self._index.mean_row_bytes
        rows = min(self._config.window_rows, int(self._config.window_bytes / row_bytes))
        share_bytes = rows * row_bytes / self._world_size
        if share_bytes > self._config.cache_bytes:
            logger.warning(
                "a window takes %.0f MB a worker, genmedclip.data.cache_bytes are %.0f MB: groups "
                "will be read more than once", share_bytes / 1e6, self._config.cache_bytes / 1e6,
            )  # fmt: skip
        return max(1, rows)

    def _fill(
        self, row: int, record: Record, epoch: int | None, pixels: NDArray[np.uint8]
    ) -> Choice:
        """Choose what is said about a row and decode its picture into place."""
        if epoch is None:
            choice = whole(record.narrations, self._config)
        else:
            random = Random(mixed(self._seed, epoch, row))
            choice = choose(record.narrations, self._config, random)
        cut(record.image, record.size_px, choice.crop, pixels)
        return choice


class _Pixels:
    """Memory of batches that is used again once nobody looks at the batch any more.

    New memory costs the system as much as a tenth of the decoding: it is cleared page by page.
    """

    def __init__(self, side_px: int) -> None:
        self._side_px = side_px
        self._free: list[NDArray[np.uint8]] = []

    def take(self, rows: int) -> NDArray[np.uint8]:
        """(rows, side, side, 3) uint8 of any content."""
        try:
            whole = self._free.pop()
        except IndexError:
            whole = None
        if whole is None or len(whole) < rows:
            whole = np.empty((rows, self._side_px, self._side_px, 3), np.uint8)
        taken = whole[:rows]
        weakref.finalize(taken, self._free.append, whole).atexit = False
        return taken
