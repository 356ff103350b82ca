"""What the screen shows beneath the pointer, through time."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracing.cine import Endoscopy, Ultrasound
from benchmarks.tracing.pages import Rgb, lines_of_text, slide
from benchmarks.tracing.spec import ClipSpec
from benchmarks.tracing.viewers import MadeUpStack, RealStack, Zoomed

Paint = Callable[[], Rgb]


@dataclass(frozen=True)
class Look:
    """The screen at one time.

    Attributes:
        rgb: (h, w, 3) uint8; shared, not to be written to.
        state: Equal as long as the same still picture is shown; None while it changes.
    """

    rgb: Rgb
    state: Hashable


class Scene(Protocol):
    """Anything that can be shown."""

    def look(self, t_s: float, tip: tuple[float, float]) -> Look:
        """Return the screen at a time, times rising, the pointer's tip at a place."""


class Sequence:
    """Still pictures one after the other, by cut or by cross-fade."""

    def __init__(self, starts_s: list[float], fades_s: list[float], paint: list[Paint]) -> None:
        self._starts, self._fades, self._paint = starts_s, fades_s, paint
        self._painted: dict[int, Rgb] = {}

    def look(self, t_s: float, tip: tuple[float, float]) -> Look:
        """Return the picture of a time."""
        k = int(np.searchsorted(self._starts, t_s + 1e-9, side="right")) - 1
        gone, fade = t_s - self._starts[k], self._fades[k]
        if k and gone < fade:
            mixed = cv2.addWeighted(self._at(k - 1), 1 - gone / fade, self._at(k), gone / fade, 0)
            return Look(np.asarray(mixed, np.uint8), None)
        return Look(self._at(k), k)

    def _at(self, k: int) -> Rgb:
        if k not in self._painted:
            self._painted = {j: rgb for j, rgb in self._painted.items() if j >= k - 1}
            self._painted[k] = self._paint[k]()
        return self._painted[k]


def _slides(spec: ClipSpec, fade: bool) -> Sequence:
    rng = np.random.default_rng([spec.lot, 11])
    count = max(round(spec.seconds / 4.5), 2)
    starts = [0.0, *(k * spec.seconds / count + rng.uniform(-0.8, 0.8) for k in range(1, count))]
    fades = [float(rng.uniform(0.4, 1.1)) if fade else 0.0 for _ in starts]
    return Sequence(starts, fades, [_page(spec, k, int(rng.integers(4))) for k in range(count)])


def _page(spec: ClipSpec, k: int, bullets: int) -> Paint:
    rng = np.random.default_rng([spec.lot, 12, k])
    count = int(rng.choice([1, 1, 1, 2]))
    names = tuple(spec.pictures[(k + j) % len(spec.pictures)] for j in range(count))
    return lambda: slide(spec.lot * 100 + k, spec.screen_px, names, bullets)


def _one_page(spec: ClipSpec) -> Sequence:
    return Sequence([0.0], [0.0], [_page(spec, 0, 3)])


def _bullets(spec: ClipSpec) -> Sequence:
    """A slide whose lines come one by one, at once or faded in."""
    rng = np.random.default_rng([spec.lot, 13])
    starts, t_s = [0.0], float(rng.uniform(1.5, 2.5))
    while t_s < spec.seconds - 1 and len(starts) < 7:
        starts.append(t_s)
        t_s += float(rng.uniform(1.6, 3.0))
    fade = float(rng.choice([0.0, 0.3, 0.5]))
    pages: list[Paint] = [
        lambda k=k: slide(spec.lot * 100, spec.screen_px, spec.pictures[:1], k)
        for k in range(len(starts))
    ]
    return Sequence(starts, [fade] * len(starts), pages)


class Typing:
    """Words that appear letter by letter, then stand for a while, then go on."""

    def __init__(self, spec: ClipSpec) -> None:
        self._spec = spec
        self._rate = float(np.random.default_rng([spec.lot, 14]).uniform(6, 11))
        self._last: tuple[int, Rgb] | None = None

    def look(self, t_s: float, tip: tuple[float, float]) -> Look:
        """Return the page with what is typed so far."""
        turn, within = divmod(t_s, 5.0)
        writes = within < 2.5
        letters = int((turn * 2.5 + min(within, 2.5)) * self._rate) + 40
        if self._last is None or self._last[0] != letters:
            page = lines_of_text(self._spec.lot, self._spec.screen_px, letters)
            self._last = (letters, page)
        return Look(self._last[1], None if writes else letters)


class Scrolling:
    """A long page of words and a picture, rolled up and down in bursts."""

    def __init__(self, spec: ClipSpec) -> None:
        wide, tall = spec.screen_px
        parts = [
            lines_of_text(spec.lot, spec.screen_px),
            slide(spec.lot * 100, spec.screen_px, spec.pictures[:1], 2),
            lines_of_text(spec.lot + 1, spec.screen_px),
        ]
        self._long, self._size = np.vstack(parts), (wide, tall)
        rng = np.random.default_rng([spec.lot, 15])
        self._ends: list[tuple[float, float, int, int]] = []
        t_s, at = float(rng.uniform(1, 2)), 0
        while t_s < spec.seconds:
            to = int(np.clip(at + rng.uniform(-1.2, 1.6) * tall, 0, 2 * tall))
            self._ends.append((t_s, t_s + float(rng.uniform(0.4, 1.4)), at, to))
            at, t_s = to, self._ends[-1][1] + float(rng.uniform(1.4, 2.8))

    def look(self, t_s: float, tip: tuple[float, float]) -> Look:
        """Return the part that is in the window."""
        at, moves = 0, False
        for start, end, before, after in self._ends:
            if t_s >= start:
                share = min((t_s - start) / (end - start), 1.0)
                at, moves = round(before + (after - before) * share), share < 1
        return Look(self._long[at : at + self._size[1]], None if moves else at)


class _Timed:
    """Gives what the rooms `viewers` and `cine` draw the shape of a scene."""

    def __init__(self, drawn: MadeUpStack | RealStack | Zoomed | Ultrasound | Endoscopy) -> None:
        self._drawn = drawn

    def look(self, t_s: float, tip: tuple[float, float]) -> Look:
        rgb, state = self._drawn.at(t_s, tip)
        return Look(rgb, state)


_SCENES: dict[str, Callable[[ClipSpec], Scene]] = {
    "slide": _one_page,
    "cuts": lambda spec: _slides(spec, fade=False),
    "fades": lambda spec: _slides(spec, fade=True),
    "bullets": _bullets,
    "typing": Typing,
    "scrolling": Scrolling,
    "ct_stack": lambda spec: _Timed(RealStack(spec)),
    "mr_stack": lambda spec: _Timed(MadeUpStack(spec)),
    "zoom": lambda spec: _Timed(Zoomed(spec)),
    "ultrasound": lambda spec: _Timed(Ultrasound(spec)),
    "endoscopy": lambda spec: _Timed(Endoscopy(spec)),
}


def scene(spec: ClipSpec) -> Scene:
    """Return what a clip shows."""
    return _SCENES[spec.scene](spec)


def blank(spec: ClipSpec) -> NDArray[np.uint8]:
    """Return an empty screen of a clip's size."""
    return np.zeros((spec.screen_px[1], spec.screen_px[0], 3), np.uint8)
