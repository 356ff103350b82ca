"""Pictures that never stand still: ultrasound with moving speckle, a scope in a tunnel."""

from collections.abc import Hashable

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.lectures.pictures import picture
from benchmarks.tracing.pages import Rgb, fit, load, slide, station
from benchmarks.tracing.spec import ClipSpec


class Ultrasound:
    """A real echo loop with speckle that boils, on a station's screen or in a slide."""

    def __init__(self, spec: ClipSpec) -> None:
        rng = np.random.default_rng([spec.lot, 21])
        self._empty, box = station(spec.lot, spec.screen_px)
        if rng.random() < 0.4:
            self._empty = slide(spec.lot * 100, spec.screen_px, ("fundus",), 3)
            wide, tall = spec.screen_px
            box = (round(0.03 * wide), round(0.16 * tall), round(0.5 * wide), round(0.97 * tall))
        self._box, self._rate = box, float(rng.uniform(14, 25))
        self._grain = rng.normal(0, 1, (4, 190, 150)).astype(np.float32)
        self._grain = np.stack([cv2.GaussianBlur(g, (0, 0), 1.1) * 2.0 for g in self._grain])
        self._last: tuple[int, Rgb] | None = None

    def at(self, t_s: float, tip: tuple[float, float]) -> tuple[Rgb, Hashable]:
        """Return the screen; its picture is never still."""
        n = int(t_s * self._rate)
        if self._last is None or self._last[0] != n:
            self._last = (n, self._frame(n))
        return self._last[1], None

    def _frame(self, n: int) -> Rgb:
        beat = picture("echo").load(n % 30).astype(np.float32)
        phase = n * 0.7
        weights = np.cos(phase * np.array([0.31, 0.53, 0.71, 0.97]) + np.arange(4))
        grain = np.tensordot(weights.astype(np.float32), self._grain, 1)
        shown = np.clip(beat * (1 + 0.22 * grain[..., None]), 0, 255).astype(np.uint8)
        frame = self._empty.copy()
        fit(shown, frame, self._box)
        return frame


class Endoscopy:
    """A scope that sways and goes forward: a real picture drawn towards the eye, lit from it."""

    def __init__(self, spec: ClipSpec) -> None:
        rng = np.random.default_rng([spec.lot, 22])
        self._side = min(spec.screen_px[1], 480)
        self._source = cv2.resize(load("fundus_macula"), (700, 700))
        self._phase = rng.uniform(0, 6.28, 4)
        self._speed = float(rng.uniform(0.15, 0.4))
        self._empty, box = station(spec.lot, spec.screen_px)
        self._box = box
        axis = np.linspace(-1, 1, self._side, dtype=np.float32)
        self._x, self._y = np.meshgrid(axis, axis)
        far = np.hypot(self._x, self._y)
        self._light = (np.clip(1.15 - far, 0.15, 1) * (far < 0.98))[..., None]
        self._last: tuple[float, NDArray[np.uint8]] | None = None

    def at(self, t_s: float, tip: tuple[float, float]) -> tuple[Rgb, Hashable]:
        """Return the screen; its picture is never still."""
        if self._last is None or self._last[0] != t_s:
            self._last = (t_s, self._frame(t_s))
        return self._last[1], None

    def _frame(self, t_s: float) -> Rgb:
        p = self._phase
        x = self._x - 0.25 * np.sin(0.9 * t_s + p[0])
        y = self._y - 0.2 * np.sin(1.3 * t_s + p[1])
        far = np.hypot(x, y) + 0.05
        turn = np.arctan2(y, x) + 0.3 * np.sin(0.5 * t_s + p[2])
        depth = np.log(far) - self._speed * t_s
        fold = lambda v: np.abs((v % 2.0) - 1.0)  # noqa: E731
        map_x = (fold(turn / np.pi + 1) * 699).astype(np.float32)
        map_y = (fold(depth) * 699).astype(np.float32)
        seen = cv2.remap(self._source, map_x, map_y, cv2.INTER_LINEAR)
        glint = np.clip(1.1 - np.hypot(self._x - 0.2, self._y + 0.25) * 9, 0, 1)[..., None] * 160
        frame = self._empty.copy()
        fit(np.clip(seen * self._light + glint, 0, 255).astype(np.uint8), frame, self._box)
        return frame
