"""Paint slides: background, title bar, picture, bullets, letterbox bars."""

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.lectures.pictures import picture
from benchmarks.lectures.spec import Box, LectureSpec, Slide

Rgb = NDArray[np.uint8]

_BACK = {"white": (255, 255, 255), "dark": (22, 26, 34), "textured": (222, 214, 198)}
_WORDS = {"white": (30, 34, 44), "dark": (232, 234, 238), "textured": (52, 40, 30)}
_BAR = {"white": (36, 84, 140), "dark": (46, 58, 78), "textured": (122, 84, 58)}


class Painter:
    """Paints the slides of one lecture."""

    def __init__(self, spec: LectureSpec) -> None:
        self._spec = spec
        self._bases: dict[int, Rgb] = {}

    def content_px(self) -> tuple[int, int, int, int]:
        """Return the box of the slide's content in the frame, without the letterbox bars."""
        bar = self._spec.letterbox_px
        return 0, bar, self._spec.width_px, self._spec.height_px - bar

    def picture_px(self, index: int) -> tuple[int, int, int, int]:
        """Return the box of a slide's picture in the frame."""
        slide = self._spec.slides[index]
        x0, y0, x1, y1 = self._to_px(slide.place)
        height, width = picture(slide.picture).load(0).shape[:2]
        zoom = min((x1 - x0) / width, (y1 - y0) / height)
        wide, tall = round(width * zoom), round(height * zoom)
        left, top = round((x0 + x1 - wide) / 2), round((y0 + y1 - tall) / 2)
        return left, top, left + wide, top + tall

    def region_px(self, index: int, at_slice: int, region: str) -> Box:
        """Return the box of a region of a slide's picture in the frame."""
        slide = self._spec.slides[index]
        left, top, right, bottom = self.picture_px(index)
        x0, y0, x1, y1 = picture(slide.picture).region(region, at_slice)
        wide, tall = right - left, bottom - top
        return left + x0 * wide, top + y0 * tall, left + x1 * wide, top + y1 * tall

    def frame(self, index: int, at_slice: int) -> Rgb:
        """Return the whole frame (h, w, 3) of a slide at a slice, without pointer."""
        if index not in self._bases:
            self._bases[index] = self._base(index)
        frame = self._bases[index].copy()
        left, top, right, bottom = self.picture_px(index)
        shown = picture(self._spec.slides[index].picture).load(at_slice)
        shrink = shown.shape[1] > right - left
        way = cv2.INTER_AREA if shrink else cv2.INTER_CUBIC
        frame[top:bottom, left:right] = cv2.resize(
            shown, (right - left, bottom - top), interpolation=way
        )
        return frame

    def _base(self, index: int) -> Rgb:
        """Return a slide without its picture."""
        spec, slide = self._spec, self._spec.slides[index]
        left, top, right, bottom = self.content_px()
        frame = np.zeros((spec.height_px, spec.width_px, 3), np.uint8)
        frame[top:bottom, left:right] = _background(slide.background, right - left, bottom - top)
        image = Image.fromarray(frame)
        pen = ImageDraw.Draw(image)
        tall = bottom - top
        if slide.title:
            bar = round(0.11 * tall)
            pen.rectangle((left, top, right, top + bar), fill=_BAR[slide.background])
            font = ImageFont.load_default(0.055 * tall)
            at = (left + 0.03 * (right - left), top + bar / 2)
            pen.text(at, slide.title, (250, 250, 250), font=font, anchor="lm")
        self._bullets(pen, slide, tall)
        return np.array(image)

    def _bullets(self, pen: ImageDraw.ImageDraw, slide: Slide, tall: int) -> None:
        font = ImageFont.load_default(0.045 * tall)
        x, y, _, _ = self._to_px((*slide.notes_at, 1, 1))
        ink = _WORDS[slide.background]
        for row, note in enumerate(slide.notes):
            at = y + row * 0.095 * tall
            dot = 0.007 * tall
            pen.ellipse((x - 4 * dot, at - dot, x - 2 * dot, at + dot), fill=ink)
            pen.text((x, at), note, ink, font=font, anchor="lm")

    def _to_px(self, shares: Box) -> Box:
        left, top, right, bottom = self.content_px()
        wide, tall = right - left, bottom - top
        x0, y0, x1, y1 = shares
        return left + x0 * wide, top + y0 * tall, left + x1 * wide, top + y1 * tall


def _background(kind: str, wide: int, tall: int) -> Rgb:
    """Return an empty slide."""
    back = np.empty((tall, wide, 3), np.float32)
    back[:] = _BACK[kind]
    if kind == "dark":
        back += np.linspace(10, -6, tall, dtype=np.float32)[:, None, None]
    if kind == "textured":
        rng = np.random.default_rng(1)
        coarse = rng.normal(0, 4, (tall // 24 + 2, wide // 24 + 2)).astype(np.float32)
        grain = cv2.resize(coarse, (wide, tall), interpolation=cv2.INTER_CUBIC)
        back += grain[..., None]
    return np.asarray(np.clip(np.rint(back), 0, 255), np.uint8)
