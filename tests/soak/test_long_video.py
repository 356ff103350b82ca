"""`medpipe extract` on hours of 1080p, on 4K and on 144p: how much memory, how much CPU."""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.tracing import clip, make_clip
from tests.support.looped import looped

FULL = os.environ.get("MEDPIPE_SOAK") == "full"
MIB = 2**20
LIMIT_MIB = 600
LIMIT_4K_MIB = 700  # whole frames, masks and colours of 4K for one clean image are 170 MiB
HOUR_S = 3600.0


def extracted(kind: str, duration_s: float, folder: Path) -> int:
    """Loop a clip of a kind, extract it by the command; return its peak resident bytes."""
    short = make_clip(clip(kind, 41, seconds=12.0), folder, clean=False).video
    video = looped(short, folder / "long.mp4", duration_s)
    out = folder / "out.json"
    command = [sys.executable, "-m", "medpipe", "extract", str(video)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = ["--json", str(out), "--images", str(folder / "images")]
    process = subprocess.Popen([*command, *options], env=environment)
    peak_bytes = 0
    while process.poll() is None:
        peak_bytes = max(peak_bytes, peak_of(process.pid))
        time.sleep(0.05)
    assert process.returncode == 0
    assert peak_bytes > 0

    found = json.loads(out.read_text())
    timing, size = found["timing"], found["video"]
    assert size["duration_s"] >= duration_s
    assert found["points"]
    ratio = timing["total_s"] / timing["decode_s"]
    a_frame_ms = timing["total_s"] / size["frames"] * 1000
    sys.stdout.write(
        f"{kind} {size['width_px']}x{size['height_px']} {duration_s:.0f} s: peak "
        f"{peak_bytes / MIB:.0f} MiB, {ratio:.2f} x decode, {a_frame_ms:.2f} ms a frame\n"
    )
    return peak_bytes


def peak_of(pid: int) -> int:
    """The most bytes that a process had so far; `ru_maxrss` would count what forked it as well."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@pytest.mark.timeout(600)
def test_half_a_minute_of_1080p_stays_within_600_mib(tmp_path: Path) -> None:
    assert extracted("p1080", 30, tmp_path) < LIMIT_MIB * MIB


@pytest.mark.soak
@pytest.mark.timeout(4 * HOUR_S)
def test_three_hours_of_1080p_stay_within_600_mib(tmp_path: Path) -> None:
    assert extracted("p1080", 3 * HOUR_S if FULL else 600, tmp_path) < LIMIT_MIB * MIB


@pytest.mark.soak
@pytest.mark.timeout(4 * HOUR_S)
def test_4k_stays_within_700_mib(tmp_path: Path) -> None:
    assert extracted("p2160", HOUR_S / 2 if FULL else 60, tmp_path) < LIMIT_4K_MIB * MIB


@pytest.mark.soak
@pytest.mark.timeout(4 * HOUR_S)
def test_three_hours_of_144_lines_stay_within_600_mib(tmp_path: Path) -> None:
    assert extracted("p144", 3 * HOUR_S if FULL else 600, tmp_path) < LIMIT_MIB * MIB
