"""What lies over the screen besides the bare pointer: discs, lenses, ink, a webcam, marks."""

from collections.abc import Callable
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracing.hand import Track
from benchmarks.tracing.pages import Rgb, text
from benchmarks.tracing.pointers import stamp
from benchmarks.tracing.spec import ClipSpec, Pointer, Xy

_INKS = {
    "red": (235, 30, 40),
    "yellow": (255, 230, 30),
    "blue": (40, 90, 240),
    "green": (30, 200, 60),
}
_MARKERS = frozenset({"yellow"})


def draw_pointer(rgb: Rgb, pointer: Pointer, tip: Xy, trail: list[Xy]) -> None:
    """Draw a pointer of any shape, in place.

    Args:
        rgb: (h, w, 3) uint8.
        pointer: What to draw.
        tip: Where.
        trail: Earlier places, newest last; some lasers leave a comet's tail.
    """
    if pointer.shape == "halo":
        _halo(rgb, pointer, tip)
    elif pointer.shape == "spotlight":
        _spotlight(rgb, pointer, tip)
    elif pointer.shape == "magnifier":
        _magnifier(rgb, pointer, tip)
    else:
        if pointer.shape == "laser" and pointer.make % 3 == 0:
            _tail(rgb, pointer, trail)
        stamp(rgb, pointer, *tip)


def _patch(rgb: Rgb, tip: Xy, reach: float) -> tuple[NDArray[np.uint8], NDArray[np.float64]] | None:
    """The part of a frame round a place, and each pixel's distance from it."""
    x0, y0 = max(int(tip[0] - reach), 0), max(int(tip[1] - reach), 0)
    x1, y1 = min(int(tip[0] + reach) + 2, rgb.shape[1]), min(int(tip[1] + reach) + 2, rgb.shape[0])
    if x0 >= x1 or y0 >= y1:
        return None
    x, y = np.arange(x0, x1) + 0.5 - tip[0], np.arange(y0, y1) + 0.5 - tip[1]
    return rgb[y0:y1, x0:x1], np.hypot(x[None, :], y[:, None])


def _halo(rgb: Rgb, pointer: Pointer, tip: Xy) -> None:
    found = _patch(rgb, tip, pointer.size_px / 2 + 1)
    if found is not None:
        part, far = found
        share = 0.3 + 0.05 * (pointer.make % 5)
        inside = np.clip(pointer.size_px / 2 - far + 0.5, 0, 1)[..., None] * share
        tint = np.array(_INKS.get(pointer.fill, (255, 230, 30)))
        part[:] = np.rint(part * (1 - inside) + tint * inside).astype(np.uint8)
    arrow = Pointer("arrow", "white" if pointer.make % 2 else "black", 26.0, pointer.make)
    stamp(rgb, arrow, *tip)


def _spotlight(rgb: Rgb, pointer: Pointer, tip: Xy) -> None:
    x, y = np.arange(rgb.shape[1]) + 0.5 - tip[0], np.arange(rgb.shape[0]) + 0.5 - tip[1]
    far = np.sqrt((x * x)[None, :] + (y * y)[:, None]).astype(np.float32)
    dim = 0.35 + 0.08 * (pointer.make % 4)
    soft = 2 + 4 * (pointer.make % 3)
    light = dim + (1 - dim) * np.clip((pointer.size_px / 2 - far) / soft + 0.5, 0, 1)
    cv2.multiply(rgb, cv2.merge([light] * 3), rgb, dtype=cv2.CV_8U)


def _magnifier(rgb: Rgb, pointer: Pointer, tip: Xy) -> None:
    found = _patch(rgb, tip, pointer.size_px / 2 + 3)
    if found is None:
        return
    part, far = found
    power = 1.6 + 0.3 * (pointer.make % 4)
    move = np.array([[power, 0, tip[0] * (1 - power)], [0, power, tip[1] * (1 - power)]])
    big = cv2.warpAffine(rgb, move, (rgb.shape[1], rgb.shape[0]), borderMode=cv2.BORDER_REPLICATE)
    x0, y0 = (
        max(int(tip[0] - pointer.size_px / 2 - 3), 0),
        max(int(tip[1] - pointer.size_px / 2 - 3), 0),
    )
    lens = big[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
    radius = pointer.size_px / 2
    part[:] = np.where((far < radius)[..., None], lens, part)
    part[(far >= radius - 2) & (far < radius + 1)] = (90, 90, 90)


def _tail(rgb: Rgb, pointer: Pointer, trail: list[Xy]) -> None:
    """A fading line through the latest places."""
    recent = trail[-6:]
    for k in range(1, len(recent)):
        share = 0.5 * k / len(recent)
        over = rgb.copy()
        a, b = (tuple(int(v * 8) for v in p) for p in (recent[k - 1], recent[k]))
        width = max(round(pointer.size_px * 0.4 * k / len(recent)), 1)
        cv2.line(over, a, b, _INKS.get(pointer.fill, (255, 40, 40)), width, cv2.LINE_AA, 3)
        cv2.addWeighted(over, share, rgb, 1 - share, 0, rgb)


class Ink:
    """What a pen has drawn so far, which stays (and is wiped when the scene changes)."""

    def __init__(self, spec: ClipSpec, track: Track, t_s: NDArray[np.float64]) -> None:
        pen = spec.pointer
        self.draws = pen is not None and pen.shape == "pen"
        self._colour = _INKS.get(pen.fill if pen else "", (235, 30, 40))
        self._thick = max(round(pen.size_px * 0.6), 2) if pen else 2
        self._marker = bool(pen and pen.fill in _MARKERS and pen.make % 2)
        self._track, self._t_s = track, t_s
        self.strokes = 0
        self.busy = False

    def over(self, rgb: Rgb, n: int) -> Rgb:
        """Return a screen with all ink drawn until frame n; the screen itself if there is none."""
        now = self._t_s[n]
        self.strokes = sum(end <= now for _, end in self._track.down)
        self.busy = any(start <= now < end for start, end in self._track.down)
        lines = []
        for start, end in self._track.down:
            during = (self._t_s >= start) & (self._t_s <= min(end, now))
            if during.sum() > 1:
                lines.append(np.rint(self._track.xy_px[during] * 8).astype(np.int32))
        if not lines:
            return rgb
        out = rgb.copy()
        thick = self._thick * (3 if self._marker else 1)
        cv2.polylines(out, lines, False, self._colour, thick, cv2.LINE_AA, 3)
        return np.minimum(rgb, out) if self._marker else out


class Webcam:
    """A speaker's picture in a corner: a real face that sways, talks and flickers, or is still."""

    def __init__(self, spec: ClipSpec, moves: bool) -> None:
        rng = np.random.default_rng([spec.lot, 41])
        photo = cv2.imread(str(files("skimage") / "data" / "astronaut.png"))
        self._face = cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)[0:300, 60:440]
        wide, tall = spec.screen_px
        self._size = (round(wide * rng.uniform(0.15, 0.24)), round(tall * rng.uniform(0.18, 0.28)))
        corner = int(rng.integers(4))
        self._x = 0 if corner % 2 else wide - self._size[0]
        self._y = 0 if corner < 2 else tall - self._size[1]
        self._phase, self._moves, self._rng = rng.uniform(0, 6.28, 6), moves, rng

    def onto(self, rgb: Rgb, t_s: float) -> None:
        """Draw it, in place."""
        p, t = self._phase, t_s if self._moves else 0.0
        wide, tall = self._size
        sway = np.sin(np.array([0.7, 1.1, 2.3, 0.4]) * t + p[:4])
        zoom = max(wide / 330, tall / 260) * (1 + 0.02 * sway[2])
        turn = cv2.getRotationMatrix2D((190, 120), 3.0 * sway[3], zoom)
        turn[:, 2] += np.array([wide / 2 - 190 + 8 * sway[0], tall / 2 - 130 + 4 * sway[1]])
        seen = cv2.warpAffine(self._face, turn, self._size, borderMode=cv2.BORDER_REPLICATE)
        mouth = (turn @ np.array([160.0, 150.0, 1.0])).astype(int)
        gap = abs(np.sin(7 * t + p[4]) * np.sin(1.7 * t + p[5]))
        axes = (max(int(10 * zoom), 1), max(int(9 * zoom * gap), 1))
        cv2.ellipse(seen, (int(mouth[0]), int(mouth[1])), axes, 0, 0, 360, (70, 20, 24), -1)
        if self._moves:
            noise = self._rng.normal(0, 2.5, (tall // 2 + 1, wide // 2 + 1)).astype(np.float32)
            grain = cv2.resize(noise, self._size)[..., None]
            seen = np.clip(seen * (1 + 0.02 * np.sin(5 * t)) + grain, 0, 255).astype(np.uint8)
        rgb[self._y : self._y + tall, self._x : self._x + wide] = seen


def _watermark(spec: ClipSpec) -> Callable[[Rgb, float, Xy], None]:
    """A half transparent name in a corner."""
    wide, tall = spec.screen_px
    canvas = np.zeros((tall, wide, 3), np.uint8)
    mark = text(canvas, (0.72 * wide, 0.93 * tall), "medical academy", 0.04 * tall, (255,) * 3)
    share = mark[..., :1].astype(np.float32) / 255 * 0.35
    y, x = np.nonzero(share[..., 0])
    box = np.s_[y.min() : y.max() + 1, x.min() : x.max() + 1]
    part = share[box]

    def onto(rgb: Rgb, t_s: float, tip: Xy) -> None:
        rgb[box] = np.rint(rgb[box] * (1 - part) + 235 * part).astype(np.uint8)

    return onto


def _clock(spec: ClipSpec) -> Callable[[Rgb, float, Xy], None]:
    """Seconds that count in a corner, as a player's bar or a meeting shows them."""
    wide, tall = spec.screen_px
    high, broad = round(0.05 * tall), round(0.12 * wide)

    def onto(rgb: Rgb, t_s: float, tip: Xy) -> None:
        plate = np.full((high, broad, 3), 36, np.uint8)
        words = f"{int(t_s) // 60:02d}:{int(t_s) % 60:02d}"
        rgb[-high:, :broad] = text(plate, (8, high / 2), words, 0.7 * high, (230,) * 3)

    return onto


def _hover(spec: ClipSpec) -> Callable[[Rgb, float, Xy], None]:
    """A row of buttons of which the one under the pointer lights up."""
    wide, tall = spec.screen_px
    high, broad, count = round(0.05 * tall), round(0.08 * wide), 8

    def onto(rgb: Rgb, t_s: float, tip: Xy) -> None:
        rgb[:high] = 62
        for k in range(count):
            x = round(0.04 * wide) + k * broad
            lit = x <= tip[0] < x + broad and tip[1] < high
            rgb[2 : high - 2, x : x + broad - 4] = (96, 130, 190) if lit else (84, 84, 84)

    return onto


def extras(spec: ClipSpec) -> list[Callable[[Rgb, float, Xy], None]]:
    """Return what is drawn over the scene before the pointer: functions of screen, time, tip."""
    out: list[Callable[[Rgb, float, Xy], None]] = []
    for name in spec.extras:
        if name in {"webcam", "webcam_still"}:
            webcam = Webcam(spec, moves=name == "webcam")
            out.append(lambda rgb, t_s, tip, webcam=webcam: webcam.onto(rgb, t_s))
        elif name == "watermark":
            out.append(_watermark(spec))
        elif name == "clock":
            out.append(_clock(spec))
        elif name == "hover":
            out.append(_hover(spec))
    return out


class Camera:
    """A screen recorder's zoom: it closes in on the pointer, follows it, and opens again."""

    def __init__(self, spec: ClipSpec) -> None:
        self._on = "camera" in spec.extras
        rng = np.random.default_rng([spec.lot, 42])
        self._power = float(rng.uniform(1.4, 2.2))
        self._open_s, self._close_s = float(rng.uniform(3.5, 4.5)), float(rng.uniform(1.2, 2.0))
        self._zoom, self._eye = 1.0, np.array(spec.screen_px) / 2
        self._size, self._last_s = np.array(spec.screen_px, float), 0.0
        self.state: tuple[float, ...] | None = (1.0,)

    def shoot(self, rgb: Rgb, t_s: float, tip: Xy) -> tuple[Rgb, Xy]:
        """Return what the recorder keeps of a screen, and where its tip is then."""
        if not self._on:
            return rgb, tip
        step, self._last_s = t_s - self._last_s, t_s
        near = (t_s - self._close_s) % (self._open_s * 2) < self._open_s and t_s > self._close_s
        ease = 1 - np.exp(-step / 0.18)
        before = (self._zoom, *self._eye)
        self._zoom += ((self._power if near else 1.0) - self._zoom) * ease
        half = self._size / 2 / self._zoom
        off = np.array(tip) - self._eye
        if near and (np.abs(off) > 0.55 * half).any():
            self._eye = self._eye + off * ease * 0.5
        elif not near:
            self._eye = self._eye + (self._size / 2 - self._eye) * ease
        self._eye = np.clip(self._eye, half, self._size - half)
        moved = np.abs(np.array((self._zoom * 400, *self._eye)) - (before[0] * 400, *before[1:]))
        rests = bool(moved.max() < 0.1)
        self.state = (round(self._zoom, 2), *np.round(self._eye)) if rests else None
        x, y = (np.array(tip) - self._eye) * self._zoom + self._size / 2
        return self.cut(rgb), (float(x), float(y))

    def cut(self, rgb: Rgb) -> Rgb:
        """Return what is kept of a screen as the camera stands now."""
        if not self._on:
            return rgb
        shift = self._size / 2 - self._eye * self._zoom
        move = np.array([[self._zoom, 0, shift[0]], [0, self._zoom, shift[1]]])
        seen = cv2.warpAffine(rgb, move, (rgb.shape[1], rgb.shape[0]), flags=cv2.INTER_LINEAR)
        return np.asarray(seen, np.uint8)
