"""Opens media files, as what their bytes say they are and as nothing that leads elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar, cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Stream

from medpipe.errors import Rejected

S = TypeVar("S", bound=Stream)

# Demuxers that read the file they are given and nothing else. Playlists (hls, concat, dash) are
# left out: they would open other files and addresses on behalf of whoever wrote them.
_CONTAINERS = "mov,matroska,webm,avi,mpegts,mpeg,gif,ogg,flv,asf,mxf,mp3,wav,flac,aac"

_MP4_BOXES = frozenset(
    {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"moof", b"sidx", b"uuid", b"pdin"}
)
_EBML, _ASF = b"\x1aE\xdf\xa3", b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"
_MAGIC = (_EBML, _ASF, b"GIF8", b"OggS", b"FLV\x01", b"ID3")
_MAX_BOXES = 100_000


def open_media(path: str | Path) -> InputContainer:
    """Open a file as media; the only way in which medpipe does. Close it, or use it in `with`.

    Raises:
        Rejected: `empty_file`, `truncated`, `web_page` or `not_a_video`.
        OSError: The file is not there or cannot be read.
    """
    path = Path(path)
    if path.stat().st_size == 0:
        raise Rejected("empty_file", "the file has no content")
    try:
        # Absolute: FFmpeg would take "concat:a" for a protocol and its argument.
        only = {"format_whitelist": _CONTAINERS, "protocol_whitelist": "file"}
        return av.open(str(path.absolute()), options=only)
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except (FFmpegError, ValueError) as error:
        raise _no_media(path) from error


def packets_of(container: InputContainer, *streams: S) -> "Iterator[Packet[S]]":
    """Read the packets of some streams, or of all; at the end one empty packet a stream.

    Yields:
        Packets in the order of the file.

    Raises:
        FFmpegError: The file cannot be read on.
    """
    packets = cast("Iterator[Packet[S]]", container.demux(*streams))
    while True:
        try:
            packet = next(packets, None)
        except IndexError:
            # PyAV stumbles over streams that appear on the way (FLV, MPEG-TS), but only when it
            # has read everything, and after the empty packets of the streams it knew.
            return
        if packet is None:
            return
        yield packet


def _no_media(path: Path) -> Rejected:
    if is_cut_short(path) or looks_like_media(path):
        return Rejected("truncated", "the file is a part of a video: its index is missing")
    if looks_like_web_page(path):
        return Rejected("web_page", "the content is an HTML page, perhaps a login or an error")
    return Rejected("not_a_video", "the content is no known kind of video")


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
