"""Overwrites the inside of one coded picture, so that all else in the file stays as it is."""

from pathlib import Path

import av


def damage(source: Path, path: Path, *, picture: int) -> Path:
    """Copy a video with the second half of its `picture`-th coded picture zeroed."""
    with av.open(str(source)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.size and p.pos]
    place, size = packets[picture]
    data = bytearray(source.read_bytes())
    data[place + size // 2 : place + size] = bytes(size - size // 2)
    path.write_bytes(data)
    return path
