"""Joins a file with picture and a file with sound without encoding anything again."""

from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from av.packet import Packet

from medpipe.errors import Rejected
from medpipe.media.containers import open_media, packets_of


def join_streams(picture: Path, sound: Path, target: Path) -> None:
    """Write the picture of one file and the sound of another into one Matroska file.

    Raises:
        Rejected: `not_a_video`, `no_video` or `no_audio`: one of them is not what it should be;
            `undecodable`: their packets do not fit together.
    """
    with (
        open_media(picture) as seen,
        open_media(sound) as heard,
        av.open(str(target), "w", format="matroska") as out,
    ):
        if not seen.streams.video:
            raise Rejected("no_video", "the stream that should hold the picture does not")
        if not heard.streams.audio:
            raise Rejected("no_audio", "the stream that should hold the sound does not")
        kept = (seen.streams.video[0], heard.streams.audio[0])
        written = [out.add_stream_from_template(stream) for stream in kept]
        flows = (
            _packets(packets_of(seen, kept[0]), 0),
            _packets(packets_of(heard, kept[1]), 1),
        )
        try:
            for _, number, packet in merge(*flows, key=lambda one: one[:2]):
                packet.stream = written[number]
                out.mux(packet)
        except FFmpegError as error:
            raise Rejected("undecodable", f"picture and sound cannot be joined: {error}") from error


def _packets(
    demuxed: "Iterator[Packet[Any]]", number: int
) -> Iterator["tuple[float, int, Packet[Any]]"]:
    for packet in demuxed:
        if packet.dts is not None and packet.time_base is not None:
            yield float(packet.dts * packet.time_base), number, packet
