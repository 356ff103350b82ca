"""Tell coded pictures that nothing else is decoded from, so that they can be left out."""

from collections.abc import Iterator

_START_CODE = b"\0\0\1"
_SLICES = range(1, 6)
_LEAST_AVCC_BYTES = 7


class Sparer:
    """Chooses H.264 pictures that need not be decoded to see a video often enough.

    A picture is left out if no other one refers to it and the pictures before and after it are
    close together in time. What is decoded is the same to the bit as without it.
    """

    def __init__(self, extradata: bytes | None, gap_s: float) -> None:
        """Read how the stream is cut into units.

        Args:
            extradata: The codec's, as the container gives it.
            gap_s: Longest time between two pictures that are decoded, where the video has more.
        """
        framed = extradata is not None and len(extradata) >= _LEAST_AVCC_BYTES
        self._length_bytes = 0
        if extradata is not None and framed and extradata[0] == 1:
            self._length_bytes = (extradata[4] & 3) + 1
        self._gap_s = gap_s
        self._kept_s: list[float] = []

    def spares(self, packet: bytes | memoryview, time_s: float) -> bool:
        """Whether a packet may be left out; packets are asked for in the order of decoding.

        Args:
            packet: One coded picture.
            time_s: When it is shown.
        """
        before = max((t for t in self._kept_s if t <= time_s), default=None)
        after = min((t for t in self._kept_s if t > time_s), default=None)
        near = before is not None and after is not None and after - before <= self._gap_s
        if near and self._is_disposable(bytes(packet)):
            return True
        self._kept_s = [*self._kept_s[-15:], time_s]
        return False

    def _is_disposable(self, data: bytes) -> bool:
        heads = [head for head in self._heads(data) if head & 0x1F in _SLICES]
        return bool(heads) and all(head & 0x60 == 0 for head in heads)

    def _heads(self, data: bytes) -> Iterator[int]:
        """First byte of each unit: two bits of reference, five of type."""
        if not self._length_bytes:
            at = data.find(_START_CODE)
            while 0 <= at < len(data) - 3:
                yield data[at + 3]
                at = data.find(_START_CODE, at + 3)
            return
        at, step = 0, self._length_bytes
        while at + step < len(data):
            yield data[at + step]
            at += step + int.from_bytes(data[at : at + step], "big")
