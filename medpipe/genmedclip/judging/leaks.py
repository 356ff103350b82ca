"""Finds test pictures that a model may have seen in training, by exact and perceptual hashes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from medpipe.dataset import Dataset

Hashes = NDArray[np.uint64]
Kind = Literal["exact", "near", "mirrored"]

RADIUS_BITS = 6
_BANDS = 4
_BAND_BITS = 16


@dataclass(frozen=True, slots=True)
class Leak:
    """A test picture that is in the training set, or looks like one that is.

    Attributes:
        example: Id of the test picture.
        sample: Id of the training sample.
        kind: Same bytes, alike, or alike when mirrored.
        bits: How many bits of the perceptual hash differ; 0 for `exact`.
    """

    example: str
    sample: str
    kind: Kind
    bits: int


class HashIndex:
    """Finds all stored 64-bit hashes within 6 bits of one.

    Split in 4 bands of 16 bits, two hashes that differ in at most 6 bits differ in at most one
    bit in some band: looking up each band and its 16 neighbours misses none.

    Source:
        Multi-index hashing, Norouzi et al. (2012).
    """

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        self._bands = []
        for band in range(_BANDS):
            keys = _band(hashes, band)
            order = np.argsort(keys, kind="stable")
            self._bands.append((keys[order], order))
        flips = [0, *(1 << bit for bit in range(_BAND_BITS))]
        self._flips = np.array(flips, np.uint64)

    def nearest(self, value: int) -> tuple[int, int] | None:
        """(position, differing bits) of the nearest stored hash within the radius, or None."""
        wanted = np.uint64(value)
        found: list[NDArray[np.int64]] = []
        for band, (keys, order) in enumerate(self._bands):
            probes = _band(np.array([wanted]), band)[0] ^ self._flips
            starts = np.searchsorted(keys, probes, "left")
            ends = np.searchsorted(keys, probes, "right")
            found += [order[a:b] for a, b in zip(starts, ends, strict=True) if a < b]
        if not found:
            return None
        candidates = np.unique(np.concatenate(found))
        bits = np.bitwise_count(self._hashes[candidates] ^ wanted)
        best = int(np.argmin(bits))
        return (int(candidates[best]), int(bits[best])) if bits[best] <= RADIUS_BITS else None


def _band(hashes: Hashes, band: int) -> Hashes:
    return (hashes >> np.uint64(band * _BAND_BITS)) & np.uint64((1 << _BAND_BITS) - 1)


class TrainingSet:
    """What a model was trained on, by the hashes of its pictures."""

    def __init__(
        self, ids: Sequence[str], sha256: Sequence[str | None], phash: Sequence[str | None]
    ) -> None:
        self._ids = ids
        self._exact = {digest: i for i, digest in enumerate(sha256) if digest}
        self._hashed = [i for i, text in enumerate(phash) if text]
        hashes = (int(text, 16) for text in phash if text)
        self._index = HashIndex(np.fromiter(hashes, np.uint64, len(self._hashed)))

    def __len__(self) -> int:
        return len(self._ids)

    def seen(self, example: str, sha256: str, phash: int, mirrored: int) -> Leak | None:
        """The closest training picture within the radius, or None."""
        if sha256 in self._exact:
            return Leak(example, self._ids[self._exact[sha256]], "exact", 0)
        found = [self._near(example, phash, "near"), self._near(example, mirrored, "mirrored")]
        return min(filter(None, found), key=lambda leak: leak.bits, default=None)

    def _near(self, example: str, value: int, kind: Kind) -> Leak | None:
        near = self._index.nearest(value)
        return near and Leak(example, self._ids[self._hashed[near[0]]], kind, near[1])


def training_set(dataset: Dataset) -> TrainingSet:
    """Hashes of all samples of a dataset."""
    rows = dataset.rows("samples", ["id", "sha256", "phash"])
    return TrainingSet(*(rows[name].to_pylist() for name in ("id", "sha256", "phash")))
