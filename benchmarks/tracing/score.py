"""Hold found pointers, scenes and clean images against a clip's truth."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.demo.score import pointer_scores, scene_f1

RADIUS_SHARE = 0.015
_NEAR_VISIBLE_S = 0.1
_GAP_S = 0.25


@dataclass(frozen=True)
class Found:
    """A pointer as some method found it.

    Attributes:
        t_s: (n,) seconds from the start of the video, rising.
        x_px: (n,) in the coded frame, 0 is the left edge of the first pixel.
        y_px: (n,) the same, down.
    """

    t_s: NDArray[np.float64]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]


def pointer_row(truth: dict[str, Any], found: Found) -> dict[str, float]:
    """Recall, precision, error at 720p, false runs a minute and share of hidden frames claimed.

    Any of two pointers counts as right, the first one must be found. Measures that a clip has no
    frames for are NaN.
    """
    video, pointer = truth["video"], truth["pointer"]
    wide, tall = video["width_px"], video["height_px"]
    points = {"t_s": found.t_s, "x_px": found.x_px, "y_px": found.y_px}
    scores = pointer_scores(pointer, points, wide, tall, RADIUS_SHARE)
    precision = scores.precision
    if any(x is not None for x in pointer["other_x_px"]):
        near = _off_px(pointer, found, "x_px", "y_px") <= RADIUS_SHARE * math.hypot(wide, tall)
        other = _off_px(pointer, found, "other_x_px", "other_y_px")
        near |= other <= RADIUS_SHARE * math.hypot(wide, tall)
        precision = float(near.mean()) if len(near) else 1.0
    claimed, hidden_s = _claims_while_hidden(pointer, found)
    runs = int((np.diff(np.concatenate([[0], claimed.astype(int)])) == 1).sum())
    return {
        "recall": scores.recall if scores.n_truth else math.nan,
        "precision": precision if scores.n_truth and scores.n_found else math.nan,
        "error_px_720p": scores.median_error_px * 720 / min(tall, wide),
        "false_runs_a_minute": runs / hidden_s * 60 if hidden_s > 0.5 else math.nan,
        "hidden_claimed": float(claimed.mean()) if hidden_s > 0.5 else math.nan,
    }


def _off_px(pointer: dict[str, Any], found: Found, x: str, y: str) -> NDArray[np.float64]:
    """Distance of each found point from the truth of the nearest frame; inf where there is none."""
    t_s = np.array(pointer["t_s"])
    if not len(found.t_s):
        return np.zeros(0)
    after = np.clip(np.searchsorted(t_s, found.t_s), 1, len(t_s) - 1)
    nearest = after - ((found.t_s - t_s[after - 1]) < (t_s[after] - found.t_s))
    known = np.array([pointer[x], pointer[y]], np.float64)[:, nearest]
    off = np.hypot(known[0] - found.x_px, known[1] - found.y_px)
    return np.where(np.isnan(off), np.inf, off)


def _any_seen(pointer: dict[str, Any]) -> NDArray[np.bool_]:
    """Whether any pointer is seen in each frame."""
    seen = np.array(pointer["visible"], bool)
    others = [x is not None for x in pointer["other_x_px"]]
    return seen | np.array(others) if others else seen


def _claims_while_hidden(pointer: dict[str, Any], found: Found) -> tuple[NDArray[np.bool_], float]:
    """Whether a pointer is claimed at each frame that is well inside a hidden stretch."""
    t_s, visible = np.array(pointer["t_s"]), _any_seen(pointer)
    step_s = float(np.median(np.diff(t_s)))
    seen_s = t_s[visible]
    away = ~visible
    if len(seen_s):
        after = np.searchsorted(seen_s, t_s)
        left = np.where(after > 0, t_s - seen_s[np.maximum(after - 1, 0)], np.inf)
        right = np.where(
            after < len(seen_s), seen_s[np.minimum(after, len(seen_s) - 1)] - t_s, np.inf
        )
        away &= np.minimum(left, right) > _NEAR_VISIBLE_S
    asked = t_s[away]
    if not len(found.t_s):
        return np.zeros(len(asked), bool), len(asked) * step_s
    after = np.searchsorted(found.t_s, asked)
    before_s = found.t_s[np.maximum(after - 1, 0)]
    after_s = found.t_s[np.minimum(after, len(found.t_s) - 1)]
    between = (after > 0) & (after < len(found.t_s)) & (after_s - before_s <= _GAP_S)
    at = np.minimum(np.abs(asked - before_s), np.abs(asked - after_s)) <= step_s / 2
    return between | at, len(asked) * step_s


def track_off_px(truth: dict[str, Any], found: Found) -> NDArray[np.float64]:
    """How wrong each frame is, in radii: 0 right, inf missed or claimed where there is nothing.

    While only the second of two pointers is seen, nothing is wrong.
    """
    pointer, video = truth["pointer"], truth["video"]
    radius = RADIUS_SHARE * math.hypot(video["width_px"], video["height_px"])
    t_s, visible = np.array(pointer["t_s"]), np.array(pointer["visible"], bool)
    out, unclear = np.where(visible, np.inf, 0.0), _any_seen(pointer)
    for n, now in enumerate(t_s):
        x, y = at_time(found, float(now))
        if math.isnan(x):
            continue
        if not visible[n]:
            out[n] = 0.0 if unclear[n] else np.inf
        else:
            out[n] = math.hypot(x - pointer["x_px"][n], y - pointer["y_px"][n]) / radius
    return out


def at_time(found: Found, now_s: float) -> tuple[float, float]:
    """Where a found pointer is at a time, between points at most 0.25 s apart; else NaN."""
    if not len(found.t_s):
        return math.nan, math.nan
    k = int(np.searchsorted(found.t_s, now_s))
    if 0 < k < len(found.t_s) and found.t_s[k] - found.t_s[k - 1] <= _GAP_S:
        share = (now_s - found.t_s[k - 1]) / (found.t_s[k] - found.t_s[k - 1])
        x = found.x_px[k - 1] + share * (found.x_px[k] - found.x_px[k - 1])
        return float(x), float(found.y_px[k - 1] + share * (found.y_px[k] - found.y_px[k - 1]))
    k = min(k, len(found.t_s) - 1)
    if k and abs(found.t_s[k - 1] - now_s) < abs(found.t_s[k] - now_s):
        k -= 1
    if abs(found.t_s[k] - now_s) <= _GAP_S / 2:
        return float(found.x_px[k]), float(found.y_px[k])
    return math.nan, math.nan


def scene_row(truth: dict[str, Any], found: Sequence[dict[str, float]]) -> dict[str, float]:
    """F1 of the scenes at 1 s; NaN for a clip that never stands still."""
    if truth["scenes"] is None:
        return {"scene_f1": math.nan}
    return {"scene_f1": scene_f1(truth["scenes"], found)}


def dwell_row(
    truth: dict[str, Any],
    folder: Path,
    scenes: Sequence[tuple[float, float, Path, tuple[int, ...]]],
) -> dict[str, float]:
    """PSNR of clean images where a resting pointer covered them, and beside it for the limit.

    Args:
        truth: Of the clip.
        folder: Where its true clean pictures lie.
        scenes: start_s, end_s, image and its box in the frame, as found.
    """
    at, beside = [], []
    for each in truth["scenes"] or []:
        if "clean" not in each:
            continue
        shown = _frame_of(each, truth, scenes)
        known = cv2.imread(str(folder / each["clean"]))
        if shown is None or known is None:
            at.append(0.0)
            continue
        x0, y0, x1, y1 = each["dwell_px"]
        x0, y0 = max(x0, 0), max(y0, 0)
        inside = np.zeros(known.shape[:2], bool)
        inside[y0:y1, x0:x1] = True
        wider = np.zeros_like(inside)
        reach = max(x1 - x0, y1 - y0) // 2
        wider[max(y0 - reach, 0) : y1 + reach, max(x0 - reach, 0) : x1 + reach] = True
        off = (shown.astype(np.float32) - known.astype(np.float32)) ** 2
        at.append(_psnr(off[inside]))
        beside.append(_psnr(off[wider & ~inside]))
    return {
        "dwell_psnr_db": float(np.mean(at)) if at else math.nan,
        "beside_psnr_db": float(np.mean(beside)) if beside else math.nan,
    }


def _frame_of(
    each: dict[str, Any],
    truth: dict[str, Any],
    scenes: Sequence[tuple[float, float, Path, tuple[int, ...]]],
) -> NDArray[np.uint8] | None:
    """The found clean image that shares most time with a true scene, laid into the frame."""
    best, most = None, 0.5
    for start_s, end_s, image, box in scenes:
        shared = min(end_s, each["end_s"]) - max(start_s, each["start_s"])
        if shared > most:
            best, most = (image, box), shared
    if best is None:
        return None
    video = truth["video"]
    frame = np.zeros((video["height_px"], video["width_px"], 3), np.uint8)
    x0, y0, x1, y1 = best[1]
    shown = cv2.imread(str(best[0]))
    if shown.shape[:2] != (y1 - y0, x1 - x0):
        shown = cv2.resize(shown, (x1 - x0, y1 - y0))
    frame[y0:y1, x0:x1] = shown
    return frame


def _psnr(off: NDArray[np.float32]) -> float:
    """PSNR of squared differences, at most 60 dB."""
    return min(10 * math.log10(255**2 / max(float(off.mean()), 1e-9)), 60.0)


def sparse_row(
    labels: Sequence[dict[str, Any]], found: Found, size: tuple[int, int]
) -> dict[str, float]:
    """Recall, precision and error against a few labelled frames.

    Args:
        labels: `t_s`, `x_px`, `y_px` (None: no pointer in the frame).
        found: The pointer.
        size: Frame width and height.
    """
    radius = RADIUS_SHARE * math.hypot(*size)
    off, claims = [], 0
    right = 0
    for label in labels:
        x, y = at_time(found, label["t_s"])
        claims += not math.isnan(x)
        if label["x_px"] is None:
            continue
        away = math.hypot(x - label["x_px"], y - label["y_px"]) if not math.isnan(x) else math.inf
        right += away <= radius
        off.append(away)
    near = [each for each in off if each < math.inf]
    return {
        "recall": right / len(off) if off else math.nan,
        "precision": right / claims if claims else math.nan,
        "error_px_720p": float(np.median(near)) * 720 / min(size) if near else math.nan,
        "labels": float(len(labels)),
    }
