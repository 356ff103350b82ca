"""Make a clip: play the scene, point, code, and write down what is true."""

import json
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.tracing.effects import Camera, Ink, draw_pointer, extras
from benchmarks.tracing.hand import Track, track
from benchmarks.tracing.pages import Rgb
from benchmarks.tracing.scenes import scene
from benchmarks.tracing.spec import ClipSpec, Form, Xy
from benchmarks.tracing.write import ENDINGS, Writer

MIN_SCENE_S = 1.0


@dataclass(frozen=True)
class ClipPaths:
    """Where a clip lies."""

    video: Path
    truth: Path


@dataclass
class _Known:
    """The truth, frame by frame."""

    t_s: list[float] = field(default_factory=list)
    tips: list[Xy | None] = field(default_factory=list)
    others: list[Xy | None] = field(default_factory=list)
    states: list[Hashable] = field(default_factory=list)
    cleans: dict[Hashable, Rgb] = field(default_factory=dict)


def make_clip(spec: ClipSpec, out_dir: Path, *, clean: bool = True) -> ClipPaths:
    """Write `<name>.<ending>` and `<name>.truth.json`.

    Args:
        spec: The clip.
        out_dir: Folder to write to; made if missing.
        clean: Also write one picture without pointer for each true scene in which the pointer
            rests for at least 2 s, `<name>-<k>.png`, and name it in that scene's truth.

    Returns:
        The paths of the two files.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    video = out_dir / f"{spec.name}{ENDINGS[spec.form.container]}"
    with Writer(video, spec.form, spec.lot) as writer:
        known, rests = _play(spec, writer)
    truth = _truth(spec, known)
    if clean:
        _dwells(spec, known, rests, truth, out_dir)
    path = out_dir / f"{spec.name}.truth.json"
    path.write_text(json.dumps(truth, separators=(",", ":")) + "\n", "utf-8")
    return ClipPaths(video, path)


def _times(spec: ClipSpec) -> NDArray[np.float64]:
    """Frame times; of a variable rate they jitter and some are left out."""
    steady = np.arange(round(spec.seconds * spec.form.fps)) / spec.form.fps
    if not spec.form.variable:
        return steady
    rng = np.random.default_rng([spec.lot, 61])
    keep = rng.random(len(steady)) < 0.75
    for _ in range(max(int(spec.seconds / 4), 1)):
        at = int(rng.integers(len(steady)))
        keep[at : at + int(spec.form.fps * 0.35)] = False
    keep[0] = True
    jitter = rng.uniform(0, 0.4 / spec.form.fps, len(steady))
    return (steady + jitter)[keep] - jitter[0]


def _play(spec: ClipSpec, writer: Writer) -> tuple[_Known, tuple[tuple[float, float], ...]]:
    """Show, point and code every frame."""
    t_s = _times(spec)
    half_s = 0.5 / spec.form.fps
    shown, camera, drawn_over = scene(spec), Camera(spec), extras(spec)
    first, other = track(spec, t_s), track(spec, t_s, 1)
    late = track(spec, t_s + half_s)
    ink = Ink(spec, first, t_s)
    known = _Known()
    for n, now in enumerate(t_s):
        look = shown.look(float(now), _tip(first, n))
        base = ink.over(look.rgb, n)
        if drawn_over or base is look.rgb:
            base = base.copy()
        for over in drawn_over:
            over(base, float(now), _tip(first, n))
        screen = _pointed(spec, base, first, other, n)
        if spec.form.interlaced:
            screen[1::2] = _pointed(spec, base, late, other, n)[1::2]
        kept, tip = camera.shoot(screen, float(now), _tip(first, n))
        seen = bool(first.visible[n]) and spec.pointer is not None
        state = (
            None
            if look.state is None or ink.busy or camera.state is None
            else (
                look.state,
                ink.strokes if ink.draws else 0,
                camera.state,
            )
        )
        known.t_s.append(float(now))
        known.tips.append(_placed(spec, tip) if seen else None)
        known.others.append(_placed(spec, _tip(other, n)) if spec.second else None)
        known.states.append(state)
        if state is not None and state not in known.cleans:
            known.cleans[state] = _framed(camera.cut(base), spec.form)
        writer.add(_framed(kept, spec.form), float(now) + spec.form.start_s)
    return known, first.rests


def _tip(moved: Track, n: int) -> Xy:
    return float(moved.xy_px[n, 0]), float(moved.xy_px[n, 1])


def _pointed(spec: ClipSpec, base: Rgb, first: Track, other: Track, n: int) -> Rgb:
    """A screen with its pointers; `base` is not written to."""
    screen = base.copy()
    if spec.second is not None and other.visible[n]:
        draw_pointer(screen, spec.second, _tip(other, n), [])
    if spec.pointer is not None and first.visible[n]:
        trail = [_tip(first, k) for k in range(max(n - 6, 0), n + 1)]
        draw_pointer(screen, spec.pointer, trail[-1], trail)
    return screen


def _upright_px(form: Form) -> tuple[int, int]:
    """Width and height of what is coded between the bars, before the player turns it."""
    return form.width_px, form.height_px - 2 * form.bar_px


def _framed(rgb: Rgb, form: Form) -> Rgb:
    """Turn, scale and bar a screen as it is coded."""
    turned = np.rot90(rgb, form.rotation_deg // 90)
    wide, tall = _upright_px(form)
    if turned.shape[:2] != (tall, wide):
        way = cv2.INTER_AREA if turned.shape[0] >= tall else cv2.INTER_CUBIC
        turned = cv2.resize(turned, (wide, tall), interpolation=way)
    if form.bar_px:
        turned = cv2.copyMakeBorder(turned, form.bar_px, form.bar_px, 0, 0, cv2.BORDER_CONSTANT)
    return np.ascontiguousarray(turned, np.uint8)


def _placed(spec: ClipSpec, tip: Xy) -> Xy | None:
    """Where a place of the screen lies in the coded frame; None outside of it."""
    (wide, tall), form = spec.screen_px, spec.form
    x, y = tip[0] / wide, tip[1] / tall
    for _ in range(form.rotation_deg // 90):
        x, y = y, 1 - x
    out_wide, out_tall = _upright_px(form)
    if not (0 <= x < 1 and 0 <= y < 1):
        return None
    return x * out_wide, y * out_tall + form.bar_px


def _truth(spec: ClipSpec, known: _Known) -> dict[str, Any]:
    form = spec.form
    end_s = known.t_s[-1] + 1 / form.fps
    moving = all(state is None for state in known.states)

    def column(tips: list[Xy | None], axis: int) -> list[float | None]:
        return [None if tip is None else round(tip[axis], 3) for tip in tips]

    return {
        "version": 1,
        "title": spec.name,
        "kind": spec.kind,
        "video": {
            "width_px": form.width_px,
            "height_px": form.height_px,
            "duration_s": round(end_s, 6),
            "frame_rate": form.fps,
            "codec": form.codec,
            "crf": form.crf,
        },
        "pointer": {
            "t_s": [round(t, 6) for t in known.t_s],
            "x_px": column(known.tips, 0),
            "y_px": column(known.tips, 1),
            "visible": [tip is not None for tip in known.tips],
            "kind": spec.pointer.shape if spec.pointer else None,
            "other_x_px": column(known.others, 0),
            "other_y_px": column(known.others, 1),
        },
        "scenes": None if moving else _scenes(known, end_s),
    }


def _scenes(known: _Known, end_s: float) -> list[dict[str, Any]]:
    """Stretches of one state of at least a second."""
    out: list[dict[str, Any]] = []
    first = 0
    for n in range(1, len(known.states) + 1):
        if n < len(known.states) and known.states[n] == known.states[first]:
            continue
        until = known.t_s[n] if n < len(known.states) else end_s
        if known.states[first] is not None and until - known.t_s[first] >= MIN_SCENE_S:
            out.append(
                {"start_s": round(known.t_s[first], 4), "end_s": round(until, 4), "frame": first}
            )
        first = n
    return out


def _dwells(
    spec: ClipSpec,
    known: _Known,
    rests: tuple[tuple[float, float], ...],
    truth: dict[str, Any],
    out_dir: Path,
) -> None:
    """Name the places that a resting pointer covers, and keep what lies beneath."""
    if spec.pointer is None:
        return
    scale = spec.form.height_px / spec.screen_px[1] if spec.form.rotation_deg % 180 == 0 else 1.0
    reach = spec.pointer.size_px * scale + 6
    for k, each in enumerate(truth["scenes"] or []):
        middle = [(max(a, each["start_s"]), min(b, each["end_s"])) for a, b in rests]
        spans = [(a, b) for a, b in middle if b - a >= 2]
        if not spans:
            continue
        n = int(np.searchsorted(known.t_s, sum(max(spans, key=lambda s: s[1] - s[0])) / 2))
        tip = known.tips[min(n, len(known.tips) - 1)]
        if tip is None:
            continue
        each["clean"] = f"{spec.name}-{k:02d}.png"
        each["dwell_px"] = [round(tip[0] - reach), round(tip[1] - reach)]
        each["dwell_px"] += [round(tip[0] + reach), round(tip[1] + reach)]
        bgr = known.cleans[known.states[each["frame"]]][..., ::-1]
        cv2.imwrite(str(out_dir / each["clean"]), bgr)
