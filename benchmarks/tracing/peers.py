"""What a user would write in an afternoon, or what the papers describe, for the same question.

Each method reads the file by itself, on one thread, and returns the pointer that it found.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracing.pointers import stamp
from benchmarks.tracing.score import Found
from benchmarks.tracing.spec import Pointer
from medpipe.media.video import open_video

Gray = NDArray[np.uint8]
LINEAGE, DIFFERENCE, MOG2, KNN = "median (lineage)", "difference + hold", "MOG2", "KNN"
TEMPLATE = "template"
PEERS = (LINEAGE, DIFFERENCE, MOG2, KNN, TEMPLATE)
_WIDTH_PX = 640
_SAMPLES_PER_S = 15
_LEVEL = 24
_HOLD_S = 4.0
_MOST_SHARE = 0.02


def run_peers(
    video: Path, pointer: Pointer | None, scale: float, names: Sequence[str] = PEERS
) -> dict[str, tuple[Found, float]]:
    """Run some of the peers.

    Args:
        video: The clip.
        pointer: What it looks like, for plain template matching (an arrow if there is none).
        scale: Pixels of the frame for one of the recording.
        names: Which.

    Returns:
        Name -> what was found and CPU seconds.
    """
    given = pointer or Pointer()
    ways: dict[str, Callable[[], Found]] = {
        LINEAGE: lambda: median_subtraction(video),
        DIFFERENCE: lambda: difference_and_hold(video),
        MOG2: lambda: background_subtraction(
            video, cv2.createBackgroundSubtractorMOG2(detectShadows=False)
        ),
        KNN: lambda: background_subtraction(
            video, cv2.createBackgroundSubtractorKNN(detectShadows=False)
        ),
        TEMPLATE: lambda: given_template(video, given, scale),
    }
    out = {}
    for name in names:
        start_s = time.process_time()
        found = ways[name]()
        out[name] = found, time.process_time() - start_s
    return out


def _samples(video: Path, width_px: int, rate: float) -> Iterator[tuple[float, Gray, float]]:
    """Time, brightness at most `width_px` wide, and frame pixels for one of its own."""
    due_s = 0.0
    with open_video(video) as reader:
        for frame in reader:
            if frame.time_s < due_s - 0.1 / rate:
                continue
            due_s = max(due_s + 1 / rate, frame.time_s + 0.5 / rate)
            luma = frame.luma()
            scale = max(luma.shape[1] / width_px, 1.0)
            if scale > 1:
                size = (width_px, round(luma.shape[0] / scale))
                luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
            yield frame.time_s, np.asarray(luma), scale


def _top(labels: NDArray[np.int32], box: NDArray[np.int32], k: int) -> tuple[float, float]:
    """The leftmost of a blob's topmost pixels: where an arrow has its tip."""
    x, y, wide = int(box[0]), int(box[1]), int(box[2])
    return x + float(np.flatnonzero(labels[y, x : x + wide] == k)[0]), float(y)


def _blobs(mask: Gray) -> list[tuple[int, float, float]]:
    """Area and top of every blob that is not too big, the biggest first."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    most = _MOST_SHARE * mask.size
    out = [
        (int(stats[k, 4]), *_top(labels, stats[k], k))
        for k in range(1, count)
        if 4 <= stats[k, 4] <= most
    ]
    return sorted(out, reverse=True)


def _found(rows: list[tuple[float, float, float]]) -> Found:
    columns = np.array(rows, np.float64).reshape(-1, 3).T
    return Found(columns[0], columns[1], columns[2])


def difference_and_hold(video: Path) -> Found:
    """Frames' differences; the place of the newest change, held for 4 s."""
    rows: list[tuple[float, float, float]] = []
    before, tip, since_s = None, (0.0, 0.0), -np.inf
    for now, luma, scale in _samples(video, _WIDTH_PX, _SAMPLES_PER_S):
        if before is not None:
            changed = (cv2.absdiff(luma, before) > _LEVEL).astype(np.uint8)
            if 0 < changed.mean() < 0.2:
                away = [b for b in _blobs(changed) if np.hypot(b[1] - tip[0], b[2] - tip[1]) > 6]
                if away:
                    tip, since_s = away[0][1:], now
        before = luma
        if now - since_s <= _HOLD_S:
            rows.append((now, (tip[0] + 0.5) * scale, (tip[1] + 0.5) * scale))
    return _found(rows)


def background_subtraction(video: Path, model: cv2.BackgroundSubtractor) -> Found:
    """A learnt background; the largest blob of what differs from it."""
    rows: list[tuple[float, float, float]] = []
    for now, luma, scale in _samples(video, _WIDTH_PX, _SAMPLES_PER_S):
        mask = cv2.morphologyEx(model.apply(luma), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
        blobs = _blobs((mask > 0).astype(np.uint8))
        if blobs:
            rows.append((now, (blobs[0][1] + 0.5) * scale, (blobs[0][2] + 0.5) * scale))
    return _found(rows)


def median_subtraction(video: Path) -> Found:
    """As the papers describe it: stable stretches, their median, subtract, threshold, argmax.

    A stretch goes on while one random crop of 64 x 64 keeps a structural similarity above 0.98,
    and counts from 3 s on. The median is taken over at most 64 frames spread evenly, which is
    kinder to memory than all of them.
    """
    rows: list[tuple[float, float, float]] = []
    for stretch in list(_stretches(video)):
        rows += _subtracted(video, *stretch)
    return _found(rows)


def _stretches(video: Path) -> Iterator[tuple[float, float]]:
    rng = np.random.default_rng(0)
    before, start_s, last_s = None, 0.0, 0.0
    at = (0, 0)
    for now, luma, _ in _samples(video, 1 << 16, 1000.0):
        if before is None:
            x, y = (max(side - 64, 0) for side in (luma.shape[1], luma.shape[0]))
            at = (int(rng.integers(x + 1)), int(rng.integers(y + 1)))
        crop = luma[at[1] : at[1] + 64, at[0] : at[0] + 64].astype(np.float32)
        if before is not None and _similarity(crop, before) <= 0.98:
            if last_s - start_s >= 3:
                yield start_s, last_s
            start_s = now
        before, last_s = crop, now
    if last_s - start_s >= 3:
        yield start_s, last_s


def _similarity(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Mean structural similarity with a window of 7 x 7."""

    def smooth(v: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.blur(v, (7, 7)))

    ma, mb = smooth(a), smooth(b)
    va, vb, both = smooth(a * a) - ma * ma, smooth(b * b) - mb * mb, smooth(a * b) - ma * mb
    above = (2 * ma * mb + 6.5) * (2 * both + 58.5)
    return float((above / ((ma * ma + mb * mb + 6.5) * (va + vb + 58.5))).mean())


def _subtracted(video: Path, start_s: float, end_s: float) -> list[tuple[float, float, float]]:
    """One more read of a stretch to gather its median, and one to subtract it."""
    wanted = np.linspace(start_s, end_s, 64)
    kept: list[Gray] = []
    for now, luma, _ in _samples(video, 1 << 16, 1000.0):
        if start_s <= now <= end_s and len(kept) < 64 and now >= wanted[len(kept)] - 1e-6:
            kept.append(luma.copy())
    bands = [
        np.median(np.stack([f[y : y + 64] for f in kept]), 0)
        for y in range(0, kept[0].shape[0], 64)
    ]
    median = np.concatenate(bands).astype(np.uint8)
    rows = []
    for now, luma, _ in _samples(video, 1 << 16, 1000.0):
        if start_s <= now <= end_s:
            off = cv2.absdiff(luma, median)
            _, most, _, (x, y) = cv2.minMaxLoc(off)
            if most > _LEVEL:
                rows.append((now, x + 0.5, y + 0.5))
    return rows


def given_template(video: Path, pointer: Pointer, scale: float) -> Found:
    """The pointer's own bitmap on grey, searched five times a second; the best place over 0.6."""
    reach = int(pointer.size_px) + 8
    page = np.full((2 * reach, 2 * reach, 3), 128, np.uint8)
    box = stamp(page, pointer, float(reach), float(reach))
    if box is None:
        return _found([])
    x0, y0, x1, y1 = box
    bitmap = cv2.cvtColor(page[y0:y1, x0:x1], cv2.COLOR_RGB2GRAY)
    rows: list[tuple[float, float, float]] = []
    small = None
    for now, luma, shrunk in _samples(video, 1280, 5.0):
        ratio = scale / shrunk
        if small is None:
            size = [max(round(side * ratio), 3) for side in (bitmap.shape[1], bitmap.shape[0])]
            small = cv2.resize(bitmap, size, interpolation=cv2.INTER_AREA)
        match = cv2.matchTemplate(luma, small, cv2.TM_CCOEFF_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(match)
        if best > 0.6:
            tip = (x + (reach - x0) * ratio, y + (reach - y0) * ratio)
            rows.append((now, tip[0] * shrunk, tip[1] * shrunk))
    return _found(rows)
