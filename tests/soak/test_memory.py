"""Peak memory does not grow with the length of a video: the real job, its workers measured."""

import sys
import time
from collections import defaultdict
from pathlib import Path

import psutil
import pytest

from medpipe.demo.judge import bundled_lectures
from tests.support import command
from tests.support.looped import looped

WORKERS = {
    "ExtractWorker": ("acquire", "extract"),
    "TranscribeWorker": ("transcribe",),
    "WriteWorker": ("write", "record"),
}


def peak_bytes(video: Path, out: Path) -> dict[str, int]:
    """Peak proportional memory of the driver and of each kind of worker while it runs."""
    process = command.start(["run", video, "--out", out, "--recipe", "demo"])
    peaks: dict[str, int] = defaultdict(int)
    while process.poll() is None:
        for child in [psutil.Process(process.pid), *_descendants(process.pid)]:
            try:
                kind = _kind(child, process.pid)
                if kind:
                    peaks[kind] = max(peaks[kind], child.memory_full_info().pss)
            except psutil.Error:
                continue
        time.sleep(0.2)
    _, err = process.communicate()
    assert process.returncode == 0, err
    return dict(peaks)


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _kind(process: psutil.Process, driver: int) -> str | None:
    if process.pid == driver:
        return "driver"
    title = (process.cmdline() or [""])[0].removeprefix("ray::")
    # A worker is named by its class, and while it works by the step.
    for name, steps in WORKERS.items():
        if title.startswith((name, *(f"{step}[" for step in steps))):
            return name
    return None


def compare(short_s: float, long_s: float, tmp_path: Path) -> None:
    source = max(bundled_lectures(), key=lambda path: path.stat().st_size)
    peaks = {}
    for name, duration_s in (("short", short_s), ("long", long_s)):
        video = looped(source, tmp_path / f"{name}.mp4", duration_s)
        peaks[name] = peak_bytes(video, tmp_path / name)
    assert set(peaks["short"]) == set(peaks["long"]) == {"driver", *WORKERS}
    ratio = sum(peaks["long"].values()) / sum(peaks["short"].values())
    shown = {n: {k: v >> 20 for k, v in p.items()} for n, p in peaks.items()}
    sys.stdout.write(f"peak MiB {shown}, ratio {ratio:.3f}\n")
    assert ratio <= 1.2, f"peak MiB {shown}"


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_a_six_minute_video_needs_no_more_memory_than_a_two_minute_one(tmp_path: Path) -> None:
    compare(120, 360, tmp_path)


@pytest.mark.ray
@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_an_hour_of_video_needs_no_more_memory_than_five_minutes(tmp_path: Path) -> None:
    compare(300, 3600, tmp_path)
