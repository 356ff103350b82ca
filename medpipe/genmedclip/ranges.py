"""Objects of a store as files for pyarrow, read by ranges of just the bytes that are asked for."""

import io

from medpipe.storage import ObjectStore


class RangeFile(io.RawIOBase):
    """An object of known size; each read is one request, or none where the bytes are at hand.

    Args:
        store: Where it lies.
        key: Its key.
        size_bytes: Of the whole object.
        held: Bytes of it that were read before.
        held_start: Where those begin.
    """

    def __init__(
        self, store: ObjectStore, key: str, size_bytes: int, held: bytes = b"", held_start: int = 0
    ) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._size_bytes = size_bytes
        self._held = memoryview(held)
        self._held_start = held_start
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The byte that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size_bytes}[whence]
        self._at = base + offset
        return self._at

    def read(self, size: int = -1) -> bytes | memoryview:
        """The next bytes, without a copy where they are at hand."""
        stop = self._size_bytes if size < 0 else min(self._at + size, self._size_bytes)
        start, self._at = self._at, max(stop, self._at)
        if start >= stop:
            return b""
        place = start - self._held_start
        if place >= 0 and place + stop - start <= len(self._held):
            return self._held[place : place + stop - start]
        return self._store.read_range(self._key, start, stop)
