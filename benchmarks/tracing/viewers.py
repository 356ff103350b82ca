"""A reading station's pictures: stacks that are scrolled, pictures that are zoomed and dragged."""

from collections.abc import Hashable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.pictures import CT_SLICES, picture
from benchmarks.tracing.pages import Rgb, fit, load, station, text
from benchmarks.tracing.spec import ClipSpec

_SLICES = 40


class _Scrolled:
    """A stack that rests and is rolled in bursts; the slice's number stands beside it."""

    def __init__(self, spec: ClipSpec, slices: int) -> None:
        self._size = spec.screen_px
        self._empty, self._box = station(spec.lot, spec.screen_px)
        rng = np.random.default_rng([spec.lot, 31])
        self._starts, self._shown = [0.0], [int(rng.integers(slices))]
        t_s = float(rng.uniform(1.2, 2.5))
        while t_s < spec.seconds:
            way = 1 if self._shown[-1] < slices / 2 else -1
            rate = float(rng.uniform(5, 15))
            for _ in range(int(rng.integers(3, max(slices // 2, 4)))):
                self._starts.append(t_s)
                self._shown.append(int(np.clip(self._shown[-1] + way, 0, slices - 1)))
                t_s += 1 / rate * float(rng.uniform(0.7, 1.5))
            t_s += float(rng.uniform(1.3, 3.0))
        self._frame = lru_cache(maxsize=6)(self._painted)

    def at(self, t_s: float, tip: tuple[float, float]) -> tuple[Rgb, Hashable]:
        """Return the screen and which stay at which slice it is."""
        k = int(np.searchsorted(self._starts, t_s + 1e-9, side="right")) - 1
        return self._frame(self._shown[k]), (k, self._shown[k])

    def slice_of(self, k: int) -> Rgb:
        """Return one slice."""
        raise NotImplementedError

    def _painted(self, k: int) -> Rgb:
        frame = self._empty.copy()
        fit(self.slice_of(k), frame, self._box)
        at = (0.06 * self._size[0], 0.94 * self._size[1])
        return text(frame, at, f"Im {k + 1}", 0.03 * self._size[1], (210, 210, 210))


class RealStack(_Scrolled):
    """The CT stack."""

    def __init__(self, spec: ClipSpec) -> None:
        super().__init__(spec, CT_SLICES)

    def slice_of(self, k: int) -> Rgb:
        """Return one slice."""
        return picture("ct_stack").load(k)


class MadeUpStack(_Scrolled):
    """A real slice bent differently for each number, as organs change from slice to slice."""

    def __init__(self, spec: ClipSpec) -> None:
        self._source = load(spec.pictures[0])
        rng = np.random.default_rng([spec.lot, 32])
        self._bend = rng.normal(0, 1, (6, 5, 5)).astype(np.float32)
        super().__init__(spec, _SLICES)

    def slice_of(self, k: int) -> Rgb:
        """Return one slice."""
        tall, wide = self._source.shape[:2]
        u = k / (_SLICES - 1) * np.pi
        waves = np.array([np.cos(u), np.sin(2 * u), np.cos(3 * u)], np.float32)
        grids = np.tensordot(waves, self._bend.reshape(2, 3, 5, 5), ([0], [1]))
        dx, dy = (cv2.resize(g, (wide, tall), interpolation=cv2.INTER_CUBIC) for g in grids)
        x, y = np.meshgrid(np.arange(wide, dtype=np.float32), np.arange(tall, dtype=np.float32))
        amount = 0.03 * wide
        bent = cv2.remap(self._source, x + amount * dx, y + amount * dy, cv2.INTER_LINEAR)
        gain = 1 + 0.2 * np.tanh(dx + dy)[..., None]
        return np.clip(bent * gain, 0, 255).astype(np.uint8)


class Zoomed:
    """A big picture that is zoomed at the pointer and dragged with it."""

    def __init__(self, spec: ClipSpec) -> None:
        self._empty, self._box = station(spec.lot, spec.screen_px)
        self._source = load(spec.pictures[0])
        rng = np.random.default_rng([spec.lot, 33])
        wide, tall = self._box[2] - self._box[0], self._box[3] - self._box[1]
        self._zoom = self._fit = min(wide / self._source.shape[1], tall / self._source.shape[0])
        self._shift = self._centred()
        self._acts: list[tuple[float, float, str, float]] = []
        t_s, near = float(rng.uniform(1.2, 2.2)), True
        while t_s < spec.seconds:
            length = float(rng.uniform(0.5, 1.5))
            if not near and rng.random() < 0.5:
                self._acts.append((t_s, t_s + length, "drag", 0.0))
            else:
                aim = float(rng.uniform(1.6, 3.0)) if near else 1.0
                self._acts.append((t_s, t_s + length, "zoom", aim))
                near = not near
            t_s += length + float(rng.uniform(1.3, 2.6))
        self._stepped = bool(rng.random() < 0.5)
        self._from, self._grip = self._zoom, (0.0, 0.0)
        self._act, self._drawn = -1, ((0.0,), self._empty)

    def _centred(self) -> NDArray[np.float64]:
        x0, y0, x1, y1 = self._box
        tall, wide = self._source.shape[:2]
        return np.array([(x0 + x1 - wide * self._zoom) / 2, (y0 + y1 - tall * self._zoom) / 2])

    def at(self, t_s: float, tip: tuple[float, float]) -> tuple[Rgb, Hashable]:
        """Return the screen; state is None while it is zoomed or dragged."""
        busy = False
        for k, (start, end, what, aim) in enumerate(self._acts):
            if not start <= t_s:
                break
            if t_s < end + 0.05 and k >= self._act:
                if k != self._act:
                    self._act, self._from, self._grip = k, self._zoom, tip
                share = min((t_s - start) / (end - start), 1.0)
                busy = share < 1
                self._do(what, aim, share, tip)
        key = (round(self._zoom, 5), *np.round(self._shift, 2))
        if self._drawn[0] != key:
            self._drawn = (key, self._paint())
        return self._drawn[1], None if busy else self._act

    def _do(self, what: str, aim: float, share: float, tip: tuple[float, float]) -> None:
        if what == "drag":
            self._shift += np.array(tip) - np.array(self._grip)
            self._grip = tip
            return
        if self._stepped:
            share = np.floor(share * 8) / 8
        zoom = self._from * (self._fit * aim / self._from) ** share
        point = np.array(tip)
        self._shift = point + (self._shift - point) * zoom / self._zoom
        self._zoom = zoom
        if aim == 1.0 and share == 1.0:
            self._shift = self._centred()

    def _paint(self) -> Rgb:
        x0, y0, x1, y1 = self._box
        move = np.array(
            [[self._zoom, 0, self._shift[0] - x0], [0, self._zoom, self._shift[1] - y0]]
        )
        frame = self._empty.copy()
        way = cv2.INTER_AREA if self._zoom < 1 else cv2.INTER_LINEAR
        frame[y0:y1, x0:x1] = cv2.warpAffine(self._source, move, (x1 - x0, y1 - y0), flags=way)
        return frame
