"""The order of training: a pure function of (rows, seed, epoch), whoever reads and how many.

Row groups are shuffled and laid side by side; then each row moves back by a random part of a
window. Row groups so come into use one after the other, stay for about a window, and a reader needs
each once. Batch k of an epoch is a fixed slice of that order. Inside a batch rows stand by a number
drawn for their row group: with several workers each takes one part of every batch, and so reads few
row groups besides its own.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where training stands: the next batch to learn from.

    Attributes:
        epoch: From 0.
        batch: Of the epoch, from 0.
    """

    epoch: int
    batch: int


class Order:
    """Batches of one epoch.

    Args:
        group: (n,) int64, number of the row group that each row lies in.
        domain: (n,) int64, number of the domain that each row counts for.
        global_batch: Rows of a batch; a last incomplete batch is left out.
        seed: Of the run.
        epoch: From 0.
        alpha: A domain of n rows is drawn in proportion to n^alpha; 1 takes each row once.
        window_rows: Rows that a row moves back at most.
    """

    def __init__(
        self,
        group: Rows,
        domain: Rows,
        *,
        global_batch: int,
        seed: int,
        epoch: int,
        alpha: float = 1.0,
        window_rows: int = 16_384,
    ) -> None:
        self._group = group
        self._domain = domain
        self._global_batch = global_batch
        self._seed = (seed, epoch)
        self._alpha = alpha
        self._window_rows = window_rows

    @property
    def batches(self) -> int:
        """Whole batches of the epoch; the same for every epoch."""
        return len(self._group) // self._global_batch

    def batch(self, number: int) -> Rows:
        """(global_batch,) row numbers of a batch, those of one row group side by side."""
        if not 0 <= number < self.batches:
            raise IndexError(f"no batch {number} in an epoch of {self.batches}")
        start = number * self._global_batch
        part = self._rows[start : start + self._global_batch]
        return part[np.argsort(self._home[self._group[part]], kind="stable")]

    @cached_property
    def _home(self) -> Rows:
        """Number of each row group by which the rows of a batch are sorted."""
        return self._shuffled("homes")

    @cached_property
    def _rows(self) -> Rows:
        rows = self._drawn()
        rows = rows[np.argsort(self._shuffled("groups")[self._group[rows]], kind="stable")]
        moved = np.arange(len(rows)) + self._random("rows").random(len(rows)) * self._window_rows
        return rows[np.argsort(moved, kind="stable")]

    def _shuffled(self, purpose: str) -> Rows:
        """A number for each row group, all different."""
        groups = int(self._group.max()) + 1 if len(self._group) else 0
        return self._random(purpose).permutation(groups).astype(np.int64)

    def _drawn(self) -> Rows:
        """Which rows take part in the epoch, and how often; as many as there are rows."""
        n = len(self._group)
        if self._alpha == 1.0 or n == 0:
            return np.arange(n, dtype=np.int64)
        random = self._random("draw")
        numbers, sizes = np.unique(self._domain, return_counts=True)
        shares = sizes.astype(float) ** self._alpha
        quotas = _apportioned(n * shares / shares.sum(), n)
        parts = []
        for number, size, quota in zip(numbers, sizes, quotas, strict=True):
            rows = np.flatnonzero(self._domain == number).astype(np.int64)
            whole, rest = divmod(int(quota), int(size))
            parts += [rows] * whole
            parts.append(np.sort(random.permutation(rows)[:rest]))
        return np.concatenate(parts)

    def _random(self, purpose: str) -> np.random.Generator:
        return np.random.default_rng([*self._seed, *purpose.encode()])


def _apportioned(quotas: NDArray[np.float64], total: int) -> Rows:
    """Whole numbers nearest to the quotas that sum to the total (largest remainder)."""
    whole = np.floor(quotas).astype(np.int64)
    missing = total - int(whole.sum())
    largest = np.argsort(whole - quotas, kind="stable")[:missing]
    whole[largest] += 1
    return whole


def share_of(batch: Rows, rank: int, world_size: int) -> Rows:
    """The rows of a global batch that one worker takes; world_size must divide it."""
    if len(batch) % world_size:
        raise ValueError(f"{world_size} workers cannot share {len(batch)} rows evenly")
    size = len(batch) // world_size
    return batch[rank * size : (rank + 1) * size]


def advanced(cursor: Cursor, batches: int) -> Cursor:
    """The cursor after one more batch."""
    if cursor.batch + 1 < batches:
        return Cursor(cursor.epoch, cursor.batch + 1)
    return Cursor(cursor.epoch + 1, 0)


def mixed(*numbers: int) -> int:
    """One number of 48 bits out of many."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big")


def mark_of(rows: Rows) -> int:
    """A number of 48 bits that tells batches apart by their rows."""
    return mixed(*rows.tolist())
