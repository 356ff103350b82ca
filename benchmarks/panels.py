"""The pictures of slides, reading stations and compound figures, found beside two plain ways.

Pages are drawn from real pictures with exact boxes: lecture slides, viewers with tool bars, letter
boxes, and figures of 2-12 panels (grids, unequal, touching, white or black gutters, lettered).
F1 counts boxes of at least 0.75 IoU. The peers see the same pages: the bounding boxes of what
differs from the page's commonest colour, and a cut at rows and columns of one colour.

    python -m benchmarks.panels [--seeds 900 940] [--sheet OUT.png]
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import about
from benchmarks.tracing.pages import Box, Rgb, fit, laid_out, load, station, text
from medpipe.media.panels import find_pictures

RESULTS = Path(__file__).parent / "results"
NAMES = (
    *("fundus", "histology", "head_ct", "mr_abdomen", "cell", "fundus_disc", "stroma"),
    *("fundus_macula", "histology_zoom", "microaneurysms"),
)
SIZES = ((1280, 720), (854, 480), (640, 360), (1920, 1080))
HIT_IOU = 0.75
Page = tuple[Rgb, list[Box]]
Lot = np.random.Generator


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs=2, type=int, default=(900, 940), help="first and end")
    parser.add_argument("--sheet", type=Path, help="draw the worst pages of ours here")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    figures: dict[str, dict[str, float]] = {}
    bad: list[tuple[float, NDArray[np.uint8]]] = []
    ways: dict[str, Callable[[Rgb], Sequence[Box]]] = {
        "medpipe": by_medpipe, "components": by_components, "flat cut": by_flat_cut,
    }  # fmt: skip
    for kind, draw in KINDS.items():
        pages = [_coded(draw(np.random.default_rng([seed, 77]))) for seed in range(*args.seeds)]
        figures[kind] = {}
        for name, way in ways.items():
            counts = []
            began_s = time.process_time()
            answers = [way(page) for page, _ in pages]
            spent_s = time.process_time() - began_s
            for (page, truth), found in zip(pages, answers, strict=True):
                counts.append(matched(truth, found))
                if name == "medpipe":
                    bad.append((f1(counts[-1:]), _drawn(page, truth, found)))
            figures[kind][name] = f1(counts)
            figures[kind][f"{name}, ms"] = spent_s / len(pages) * 1e3
        row = figures[kind]
        print(f"{kind:16s}", *(f"{name} {row[name]:.3f}" for name in ways), sep="  ")
    mean = {name: float(np.mean([row[name] for row in figures.values()])) for name in ways}
    cost = {name: float(np.mean([row[f"{name}, ms"] for row in figures.values()])) for name in ways}
    print(f"{'mean':16s}", *(f"{name} {value:.3f}" for name, value in mean.items()), sep="  ")
    print("CPU over ours", {name: round(ms / cost["medpipe"], 2) for name, ms in cost.items()})
    if args.sheet:
        _sheet([page for _, page in sorted(bad, key=lambda each: each[0])[:16]], args.sheet)
    body = {**about(), "seeds": list(args.seeds), "f1_at_iou_0.75": mean, "kinds": figures}
    (RESULTS / "panels.json").write_text(json.dumps(body, indent=1) + "\n", "utf-8")


def matched(truth: Sequence[Box], found: Sequence[Box]) -> tuple[int, int, int]:
    """Boxes that hit, that were wanted, that were given; each counts once."""
    pairs = sorted(
        ((iou(a, b), i, j) for i, a in enumerate(truth) for j, b in enumerate(found)), reverse=True
    )
    left, right = set(range(len(truth))), set(range(len(found)))
    hits = 0
    for share, i, j in pairs:
        if share >= HIT_IOU and i in left and j in right:
            left.remove(i)
            right.remove(j)
            hits += 1
    return hits, len(truth), len(found)


def f1(counts: Sequence[tuple[int, int, int]]) -> float:
    """F1 over all boxes of some pages; 1 where nothing was there and nothing was found."""
    hits, wanted, given = (sum(column) for column in zip(*counts, strict=True))
    return 2 * hits / (wanted + given) if wanted + given else 1.0


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0) * max(tall, 0)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / max(area - shared, 1)


def by_medpipe(page: Rgb) -> list[Box]:
    """Ours, which takes blue first."""
    return find_pictures(np.ascontiguousarray(page[:, :, ::-1]))


def by_components(page: Rgb) -> list[Box]:
    """A peer: what differs from the commonest colour, joined where it touches."""
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY)
    ground = int(np.bincount(grey.ravel()).argmax())
    body = (np.abs(grey.astype(np.int16) - ground) > 12).astype(np.uint8)
    joined = cv2.morphologyEx(body, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(joined)
    least = 0.015 * grey.size
    return [
        (int(x), int(y), int(x + w), int(y + h))
        for x, y, w, h, _ in stats[1:count]
        if w * h >= least
    ]


def by_flat_cut(page: Rgb) -> list[Box]:
    """A peer: the XY-cut of document analysis at rows and columns of one colour."""
    grey = np.asarray(cv2.cvtColor(page, cv2.COLOR_RGB2GRAY), np.int16)

    def cut(x0: int, y0: int, x1: int, y1: int, depth: int) -> list[Box]:
        part = grey[y0:y1, x0:x1]
        if part.size < 0.015 * grey.size:
            return []
        for axis in (1, 0):
            empty = np.ptp(part, axis=axis) <= 12
            full = np.flatnonzero(np.diff(np.concatenate([[0], (~empty).astype(np.int8), [0]])))
            spans = list(zip(full[::2].tolist(), full[1::2].tolist(), strict=True))
            length = len(empty)
            if spans != [(0, length)] and depth < 10:
                return [
                    box
                    for a, b in spans
                    for box in (
                        cut(x0, y0 + a, x1, y0 + b, depth + 1)
                        if axis == 1
                        else cut(x0 + a, y0, x0 + b, y1, depth + 1)
                    )
                ]
        return [(x0, y0, x1, y1)]

    return cut(0, 0, grey.shape[1], grey.shape[0], 0)


def _some(rng: Lot, count: int) -> tuple[str, ...]:
    return tuple(str(name) for name in rng.choice(NAMES, count, replace=count > len(NAMES)))


def _slide(rng: Lot) -> Page:
    size = SIZES[int(rng.integers(len(SIZES)))]
    names = _some(rng, int(rng.integers(1, 4)))
    return laid_out(int(rng.integers(1 << 30)), size, names, int(rng.integers(0, 6)))


def _text_page(rng: Lot) -> Page:
    size = SIZES[int(rng.integers(len(SIZES)))]
    frame, _ = laid_out(int(rng.integers(1 << 30)), size, _some(rng, 1), 6)
    frame[:, : round(0.72 * size[0])] = frame[-1, -1]
    return frame, []


def _viewer(rng: Lot) -> Page:
    size = SIZES[int(rng.integers(len(SIZES)))]
    frame, box = station(int(rng.integers(1 << 30)), size)
    return frame, [fit(load(_some(rng, 1)[0]), frame, box)]


def _letterbox(rng: Lot) -> Page:
    wide, tall = SIZES[int(rng.integers(len(SIZES)))]
    frame = np.zeros((tall, wide, 3), np.uint8)
    rim = round(float(rng.uniform(0.05, 0.2)) * (tall if rng.random() < 0.5 else wide))
    if rng.random() < 0.5:
        box = (0, min(rim, tall // 3), wide, tall - min(rim, tall // 3))
    else:
        box = (min(rim, wide // 3), 0, wide - min(rim, wide // 3), tall)
    names = [name for name in NAMES if name not in {"head_ct", "mr_abdomen", "fundus"}]
    source = load(str(rng.choice(names)))
    _fill(frame, box, source)
    return frame, [box]


def _grid(
    ground: int, low: float, high: float, *, unequal: bool = False, letters: bool = True
) -> Callable[[Lot], Page]:
    """A compound figure: rows of panels with gutters of a share of the figure's width."""

    def draw(rng: Lot) -> Page:
        wide, tall = int(rng.integers(600, 1600)), int(rng.integers(500, 1400))
        frame = np.full((tall, wide, 3), ground, np.uint8)
        gutter = max(round(float(rng.uniform(low, high)) * wide), 4 if high else 0)
        rim = gutter if rng.random() < 0.7 else 0
        rows = int(rng.integers(1, 4))
        counts = [int(rng.integers(1 if rows > 1 else 2, 5)) for _ in range(rows)]
        if not unequal:
            counts = [counts[0]] * rows
        if sum(counts) < 2:
            counts[0] = 2
        downs = _shares(rng, rows, tall - 2 * rim, gutter, unequal)
        boxes, y, letter = [], rim, ord("A")
        for count, high_px in zip(counts, downs, strict=True):
            x = rim
            for wide_px in _shares(rng, count, wide - 2 * rim, gutter, unequal):
                box = (x, y, x + wide_px, y + high_px)
                _fill(frame, box, load(_some(rng, 1)[0]))
                boxes.append(box)
                if letters and rng.random() < 0.8:
                    frame = _lettered(frame, box, chr(letter))
                letter += 1
                x += wide_px + gutter
            y += high_px + gutter
        return frame, boxes

    return draw


def _shares(rng: Lot, count: int, length: int, gutter: int, unequal: bool) -> list[int]:
    weights = rng.uniform(1, 2, count) if unequal else np.ones(count)
    free = length - gutter * (count - 1)
    return [int(part) for part in weights / weights.sum() * free]


def _lettered(frame: Rgb, box: Box, letter: str) -> Rgb:
    px = max(0.08 * (box[3] - box[1]), 12)
    at = (box[0] + 0.3 * px, box[1] + 0.7 * px)
    corner = frame[box[1] : box[1] + int(px), box[0] : box[0] + int(px)]
    ink = (20, 20, 20) if corner.mean() > 110 else (240, 240, 240)
    return text(frame, at, letter, px, ink)


def _fill(frame: Rgb, box: Box, source: Rgb) -> None:
    """Fill a box with the middle of a picture, keeping its shape."""
    wide, tall = box[2] - box[0], box[3] - box[1]
    zoom = max(wide / source.shape[1], tall / source.shape[0])
    w, h = min(round(wide / zoom), source.shape[1]), min(round(tall / zoom), source.shape[0])
    x, y = (source.shape[1] - w) // 2, (source.shape[0] - h) // 2
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    part = source[y : y + h, x : x + w]
    frame[box[1] : box[3], box[0] : box[2]] = cv2.resize(part, (wide, tall), interpolation=way)


KINDS: dict[str, Callable[[Lot], Page]] = {
    "slide": _slide,
    "text only": _text_page,
    "viewer": _viewer,
    "letterbox": _letterbox,
    "white grid": _grid(255, 0.008, 0.03),
    "white unequal": _grid(255, 0.008, 0.03, unequal=True),
    "black grid": _grid(0, 0.008, 0.03),
    "black unequal": _grid(0, 0.008, 0.03, unequal=True),
    "touching": _grid(255, 0.0, 0.0),
    "touching unequal": _grid(255, 0.0, 0.0, unequal=True),
}


def _coded(page: Page) -> Page:
    """A page as a coder leaves it."""
    frame, boxes = page
    data = cv2.imencode(".jpg", frame[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[:, :, ::-1], boxes


def _drawn(page: Rgb, truth: Sequence[Box], found: Sequence[Box]) -> NDArray[np.uint8]:
    shown = np.ascontiguousarray(page[:, :, ::-1])
    for boxes, ink, px in ((truth, (0, 200, 0), 5), (found, (60, 60, 255), 2)):
        for x0, y0, x1, y1 in boxes:
            cv2.rectangle(shown, (x0, y0), (x1 - 1, y1 - 1), ink, px)
    return np.asarray(cv2.resize(shown, (480, 320), interpolation=cv2.INTER_AREA), np.uint8)


def _sheet(pages: Sequence[NDArray[np.uint8]], path: Path) -> None:
    rows = [np.hstack(pages[k : k + 4]) for k in range(0, len(pages) // 4 * 4, 4)]
    cv2.imwrite(str(path), np.vstack(rows))


if __name__ == "__main__":
    main()
