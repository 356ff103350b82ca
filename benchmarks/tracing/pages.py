"""Pages and viewers that hold real pictures: slides, text, a reading station."""

import io
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.lectures.pictures import picture

Rgb = NDArray[np.uint8]
Box = tuple[int, int, int, int]

_THEMES = (
    ((255, 255, 255), (30, 34, 44), (36, 84, 140)),
    ((246, 243, 235), (52, 40, 30), (120, 44, 44)),
    ((18, 22, 34), (232, 234, 238), (46, 58, 98)),
    ((0, 0, 0), (225, 225, 225), (30, 30, 30)),
    ((22, 70, 92), (240, 246, 250), (12, 44, 62)),
    ((255, 255, 255), (20, 20, 20), (255, 255, 255)),
)
_WORDS = """
    The left lower lobe shows a consolidation with air bronchograms and no effusion while the
    heart is of normal size and the vessels taper to the edge compare with the earlier study and
    note how the margin of the lesion enhances after contrast in the late phase the cortex stays
    thin and the marrow signal is low on every sequence that was taken
""".split()  # noqa: SIM905
_SHARED = Path(__file__).parents[3] / "shared" / "data"


def shared_data() -> Path:
    """Return the folder of real material that is not part of the project; it may not be there."""
    return _SHARED


def available(name: str) -> bool:
    """Whether a picture can be loaded here; those of the shared data may be missing."""
    return not name.startswith("vqa:") or (_SHARED / "vqa_rad.parquet").is_file()


@lru_cache(maxsize=48)
def load(name: str, at_slice: int = 0) -> Rgb:
    """Return a picture (h, w, 3).

    Args:
        name: Of the registry of pictures; `vqa:<n>` for the n-th radiograph of the shared data.
        at_slice: For stacks.
    """
    if name.startswith("vqa:"):
        import pyarrow.parquet as pq

        rows = pq.read_table(shared_data() / "vqa_rad.parquet", columns=["image"])
        data = rows["image"][int(name[4:])].as_py()["bytes"]
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.uint8)
    return picture(name).load(at_slice)


def fit(rgb: Rgb, frame: Rgb, box: Box) -> Box:
    """Scale a picture into a box of a frame, in place; return the box it takes."""
    x0, y0, x1, y1 = box
    zoom = min((x1 - x0) / rgb.shape[1], (y1 - y0) / rgb.shape[0])
    wide, tall = max(round(rgb.shape[1] * zoom), 2), max(round(rgb.shape[0] * zoom), 2)
    left, top = (x0 + x1 - wide) // 2, (y0 + y1 - tall) // 2
    way = cv2.INTER_AREA if zoom < 1 else cv2.INTER_CUBIC
    frame[top : top + tall, left : left + wide] = cv2.resize(rgb, (wide, tall), interpolation=way)
    return left, top, left + wide, top + tall


def text(rgb: Rgb, at: tuple[float, float], words: str, px: float, ink: tuple[int, ...]) -> Rgb:
    """Return a frame with words written on it, left middle at a place."""
    image = Image.fromarray(rgb)
    pen = ImageDraw.Draw(image)
    pen.text(at, words, tuple(ink), font=ImageFont.load_default(px), anchor="lm")
    return np.array(image)


def slide(lot: int, size: tuple[int, int], pictures: tuple[str, ...], bullets: int = 3) -> Rgb:
    """Return the slide of `laid_out` alone."""
    return laid_out(lot, size, pictures, bullets)[0]


def laid_out(
    lot: int, size: tuple[int, int], pictures: tuple[str, ...], bullets: int = 3
) -> tuple[Rgb, list[Box]]:
    """Return a slide (title or none, one to three pictures, some lines of text) and its pictures.

    Args:
        lot: Decides layout, colours and words.
        size: Width and height, pixels.
        pictures: Shown side by side.
        bullets: How many lines stand there so far.
    """
    rng = np.random.default_rng([lot, 5])
    (wide, tall), theme = size, _THEMES[rng.integers(len(_THEMES))]
    back, ink, bar = theme
    frame = np.empty((tall, wide, 3), np.uint8)
    frame[:] = back
    if rng.random() < 0.3:
        ramp = np.linspace(0.85, 1.0, tall)[:, None, None]
        frame = np.asarray(frame * ramp, np.uint8)
    top = 0
    if rng.random() < 0.7:
        top = round(0.12 * tall)
        frame[:top] = bar
        light = (245, 245, 245) if sum(bar) < 500 else (20, 20, 20)
        title = " ".join(rng.choice(_WORDS, 4)).capitalize()
        frame = text(frame, (0.03 * wide, top / 2), title, 0.06 * tall, light)
    split = float(rng.choice([0.55, 0.62, 0.7]))
    rim, inner = round(0.03 * tall), round(split * wide)
    each, boxes = (inner - rim) // len(pictures), []
    for k, name in enumerate(pictures):
        box = (rim + k * each, top + rim, rim + (k + 1) * each - rim // 2, tall - rim)
        boxes.append(fit(load(name), frame, box))
    lines = [" ".join(rng.choice(_WORDS, 3)) for _ in range(6)]
    for row, line in enumerate(lines[:bullets]):
        at = (inner + 0.04 * wide, top + (0.1 + 0.13 * row) * tall)
        frame = text(frame, at, f"- {line}", 0.042 * tall, ink)
    return frame, boxes


def lines_of_text(lot: int, size: tuple[int, int], letters: int | None = None) -> Rgb:
    """Return a page of words; with `letters`, only that many of its letters."""
    rng = np.random.default_rng([lot, 6])
    (wide, tall), (back, ink, _) = size, _THEMES[int(rng.choice([0, 1, 5]))]
    image = Image.new("RGB", size, back)
    pen = ImageDraw.Draw(image)
    px = 0.04 * tall
    font = ImageFont.load_default(px)
    left = letters
    for row in range(int(0.88 * tall / (1.7 * px))):
        line = " ".join(rng.choice(_WORDS, 9))
        if left is not None:
            line, left = line[: max(left, 0)], left - len(line)
        pen.text((0.08 * wide, 0.08 * tall + row * 1.7 * px), line, ink, font=font, anchor="lm")
        if left is not None and left <= 0:
            break
    return np.array(image)


def station(lot: int, size: tuple[int, int]) -> tuple[Rgb, Box]:
    """Return a reading station's empty frame and the box of its picture."""
    rng = np.random.default_rng([lot, 7])
    wide, tall = size
    grey = int(rng.choice([0, 0, 24, 48]))
    frame = np.full((tall, wide, 3), grey, np.uint8)
    left, top = round(0.05 * wide), round(0.05 * tall)
    if rng.random() < 0.6:
        frame[:top] = 60
        frame[:, :left] = 44
        for row in range(8):
            y = round(tall * (0.1 + 0.1 * row))
            cv2.rectangle(frame, (left // 4, y), (left * 3 // 4, y + left // 2), (150, 150, 150), 1)
            cv2.line(frame, (left // 4, y), (left * 3 // 4, y + left // 2), (200, 200, 90), 1)
    frame = text(frame, (left + 8, top + 0.04 * tall), "Se 3  W 400 L 40", 0.028 * tall, (210,) * 3)
    return frame, (left, top + round(0.06 * tall), wide - left // 2, tall - 8)
