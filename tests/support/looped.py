"""Makes a long video out of a short one by repeating its packets; nothing is encoded again."""

from fractions import Fraction
from pathlib import Path

import av


def looped(source: Path, target: Path, duration_s: float) -> Path:
    """Repeat a video, with its sound if it has any, until it lasts at least duration_s."""
    with av.open(str(target), "w") as out:
        with av.open(str(source)) as first:
            streams = {
                stream.index: out.add_stream_from_template(stream)
                for stream in (*first.streams.video[:1], *first.streams.audio[:1])
            }
            once_s = Fraction(first.duration, 1_000_000) + Fraction(1, 5)  # stamps must rise
        turn = 0
        while turn * once_s < duration_s:
            _append(source, out, streams, turn * once_s)
            turn += 1
    return target


def _append(
    source: Path,
    out: av.container.OutputContainer,
    streams: dict[int, av.stream.Stream],
    shift_s: Fraction,
) -> None:
    with av.open(str(source)) as container:
        chosen = [container.streams[index] for index in streams]
        for packet in container.demux(chosen):
            if packet.dts is None:
                continue
            ticks = round(shift_s / packet.time_base)
            packet.pts += ticks
            packet.dts += ticks
            packet.stream = streams[packet.stream.index]
            out.mux(packet)
