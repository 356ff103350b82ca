"""What the bytes of a file say of its container, without decoding anything."""

from pathlib import Path

_MP4_BOXES = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"sidx", b"uuid", b"pdin"}
)
_EBML, _ASF = b"\x1aE\xdf\xa3", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
_MAGIC = (_EBML, _ASF, b"GIF8", b"OggS", b"FLV\x01", b"ID3")
_MAX_BOXES = 100_000


def looks_like_media(path: Path) -> bool:
    """Whether a file starts like one of the containers that videos come in."""
    with path.open("rb") as file:
        head = file.read(16)
    return (
        head[4:8] in _MP4_BOXES
        or head.startswith(_MAGIC)
        or (head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WAVE"))
    )


def looks_like_web_page(path: Path) -> bool:
    """Whether a file starts like HTML: a login or error page saved under a video's name."""
    with path.open("rb") as file:
        head = file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return head.startswith((b"<!doctype html", b"<html", b"<head")) or b"<html" in head


def is_cut_short(path: Path) -> bool:
    """Whether an MP4 or QuickTime file lacks its index, or ends before its last box does.

    False for every other kind of file.

    Source:
        ISO/IEC 14496-12, section 4.2: a box starts with its size (0: up to the end of the file;
        1: in 64 bits after the type) and its type.
    """
    total = path.stat().st_size
    seen: set[bytes] = set()
    with path.open("rb") as file:
        place = 0
        for _ in range(_MAX_BOXES):
            file.seek(place)
            head = file.read(16)
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if len(head) < 8 or kind not in _MP4_BOXES:
                break
            seen.add(kind)
            if size == 1:
                size = int.from_bytes(head[8:16], "big")
            elif size == 0:
                size = total - place
            if size < 8 or place + size > total:
                return b"ftyp" in seen or b"mdat" in seen
            place += size
    return b"ftyp" in seen and b"moov" not in seen
