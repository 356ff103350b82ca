"""Hold what was found in a lecture against what is known about it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_GAP_S = 0.25
# fmt: off
_FUNCTION_WORDS = frozenset((
    "a", "an", "the", "this", "that", "these", "those", "here", "there", "is", "are", "was", "were",
    "be", "it", "its", "of", "in", "on", "at", "to", "from", "by", "with", "and", "or", "no", "not",
    "we", "you", "i", "see", "look",
))
# fmt: on


@dataclass(frozen=True)
class PointerScores:
    """How well a pointer was found.

    Attributes:
        recall: Share of the frames with a visible pointer at which it was found within the radius;
            1 if there are none.
        precision: Share of the found points that lie within the radius of a visible pointer;
            1 if there are none.
        median_error_px: Median distance of the found points from the true tip, over all points
            found while a pointer is visible, also those outside the radius; NaN if there are none.
        false_share_hidden: Share of the frames without pointer at which one is claimed (between two
            found points at most 0.25 s apart, or within half a frame of one); 0 if there are none.
        n_truth: Frames with a visible pointer.
        n_found: Found points.
    """

    recall: float
    precision: float
    median_error_px: float
    false_share_hidden: float
    n_truth: int
    n_found: int


def pointer_scores(
    truth_pointer: Mapping[str, Any],
    points: Mapping[str, ArrayLike],
    width_px: int,
    height_px: int,
    radius_share: float = 0.015,
) -> PointerScores:
    """Score found pointer tips against the truth of every frame.

    Args:
        truth_pointer: Lists, one entry a frame in time order: `t_s` seconds from the start of the
            video, `x_px` and `y_px` the tip in frame pixels (None where hidden), `visible`.
        points: `t_s`, `x_px`, `y_px`: arrays (n,) of found tips in any order, at least 10 a second
            while the pointer is seen; a gap of more than 0.25 s means unseen.
        width_px: Frame width.
        height_px: Frame height.
        radius_share: A tip is found if it lies within this share of the frame's diagonal.

    Returns:
        The scores. Found points at most 0.25 s apart are interpolated, else the nearest within
        0.125 s counts. Truth is interpolated between two visible frames, else the nearer decides.

    Raises:
        ValueError: The arrays differ in length or the truth is empty.
    """
    t_s, xy, visible = _truth_arrays(truth_pointer)
    found_t, found_xy = _found_arrays(points)
    radius_px = radius_share * math.hypot(width_px, height_px)
    off_px = np.hypot(*(_track_at(t_s, found_t, found_xy) - xy)[visible].T)
    error_px = np.hypot(*(found_xy - _truth_at(found_t, t_s, xy, visible)).T)
    known_px = error_px[~np.isnan(error_px)]
    claimed = _claimed(t_s, found_t)[~visible]
    return PointerScores(
        recall=float(np.mean(off_px <= radius_px)) if len(off_px) else 1.0,
        precision=float(np.mean(error_px <= radius_px)) if len(error_px) else 1.0,
        median_error_px=float(np.median(known_px)) if len(known_px) else math.nan,
        false_share_hidden=float(np.mean(claimed)) if len(claimed) else 0.0,
        n_truth=int(visible.sum()),
        n_found=len(found_t),
    )


def scene_f1(
    truth_scenes: Sequence[Mapping[str, Any]],
    found_scenes: Sequence[Mapping[str, Any]],
    tolerance_s: float = 1.0,
) -> float:
    """Score found scenes against the true stable intervals.

    Args:
        truth_scenes: Mappings with `start_s` and `end_s`, seconds from the start of the video.
        found_scenes: The same, as found.
        tolerance_s: A found scene matches a true one if both its start and its end are at most
            this far off.

    Returns:
        F1 over scenes matched one to one (as many pairs as possible); 1 if both lists are empty.
    """
    if not truth_scenes and not found_scenes:
        return 1.0
    ends = [np.array([[e["start_s"], e["end_s"]] for e in s]) for s in (truth_scenes, found_scenes)]
    if not len(ends[0]) or not len(ends[1]):
        return 0.0
    near = np.abs(ends[0][:, None] - ends[1][None]).max(axis=2) <= tolerance_s
    fits = [np.flatnonzero(row).tolist() for row in near]
    owner: dict[int, int] = {}
    pairs = sum(_give(k, fits, owner, set()) for k in range(len(fits)))
    return 2 * pairs / (len(truth_scenes) + len(found_scenes))


def word_error_rate(truth_text: str, found_text: str) -> float:
    """Return the word error rate after Whisper's English normalizer.

    Args:
        truth_text: What was said.
        found_text: What was heard.

    Returns:
        (substitutions + deletions + insertions) / words said. With nothing said: 0 if nothing was
        heard, else 1.
    """
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalize = EnglishTextNormalizer()
    truth, found = normalize(truth_text).strip(), normalize(found_text).strip()
    if not truth:
        return 1.0 if found else 0.0
    return float(jiwer.wer(truth, found))


def box_iou(a: Sequence[float], b: Sequence[float]) -> float:
    """Return intersection over union of two boxes (x0, y0, x1, y1), any one unit; 0 if empty."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    tall = min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(wide * tall / (both - wide * tall))


def mean_box_iou(
    truth_phrases: Sequence[Mapping[str, Any]], found_boxes: Sequence[Mapping[str, Any]]
) -> float:
    """Score the boxes of pointed phrases.

    Args:
        truth_phrases: Mappings with `phrase`, `start_s`, `end_s` (seconds from the start of the
            video) and `box_px` (x0, y0, x1, y1 in frame pixels); negated phrases count like others.
        found_boxes: The same, as found; `box_px` may be None.

    Returns:
        Mean intersection over union, over the true phrases. Each is compared with the found phrase
        that overlaps it longest in time among those that share a content word with it, else among
        all; a phrase nothing overlaps counts 0.

    Raises:
        ValueError: There is no true phrase.
    """
    if not truth_phrases:
        raise ValueError("no phrase to score")
    return float(np.mean([_iou_of_match(truth, found_boxes) for truth in truth_phrases]))


def psnr_db(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of two 8-bit images.

    Args:
        a: (h, w) or (h, w, channels) uint8.
        b: The same shape.

    Returns:
        Decibels; infinite if they are equal.

    Raises:
        ValueError: The shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
    error = float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _truth_arrays(
    truth: Mapping[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return times, tips (n, 2) with NaN where hidden, and visibility."""
    t_s = np.asarray(truth["t_s"], np.float64)
    visible = np.asarray(truth["visible"], np.bool_)
    xy = np.stack([np.array(truth[key], dtype=np.float64) for key in ("x_px", "y_px")], axis=1)
    if not len(t_s) or len(t_s) != len(visible) or len(t_s) != len(xy):
        raise ValueError(f"truth of {len(t_s)} times, {len(xy)} tips, {len(visible)} flags")
    xy[~visible] = np.nan
    return t_s, xy, visible


def _found_arrays(
    points: Mapping[str, ArrayLike],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return times (n,) in order and tips (n, 2)."""
    t_s, x, y = (np.asarray(points[key], np.float64).ravel() for key in ("t_s", "x_px", "y_px"))
    if not len(t_s) == len(x) == len(y):
        raise ValueError(f"{len(t_s)} times, {len(x)} x, {len(y)} y")
    order = np.argsort(t_s, kind="stable")
    return t_s[order], np.stack([x, y], axis=1)[order]


def _around(
    t_s: NDArray[np.float64], knots_s: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return for each time the knots before and after it and the share of the way between them."""
    after = np.clip(np.searchsorted(knots_s, t_s, side="right"), 1, max(len(knots_s) - 1, 1))
    after = np.minimum(after, len(knots_s) - 1)
    before = np.maximum(after - 1, 0)
    span = knots_s[after] - knots_s[before]
    share = np.divide(t_s - knots_s[before], span, out=np.zeros_like(t_s), where=span > 0)
    return before, after, share


def _track_at(
    t_s: NDArray[np.float64], found_t: NDArray[np.float64], found_xy: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the found track at given times (n, 2), NaN where unseen."""
    out = np.full((len(t_s), 2), np.nan)
    if not len(found_t):
        return out
    before, after, share = _around(t_s, found_t)
    inside = (share >= 0) & (share <= 1) & (found_t[after] - found_t[before] <= MAX_GAP_S)
    between = found_xy[before] + share[:, None] * (found_xy[after] - found_xy[before])
    nearest = np.where(np.abs(found_t[after] - t_s) < np.abs(found_t[before] - t_s), after, before)
    close = np.abs(found_t[nearest] - t_s) <= MAX_GAP_S / 2
    out[close] = found_xy[nearest][close]
    out[inside] = between[inside]
    return out


def _truth_at(
    found_t: NDArray[np.float64],
    t_s: NDArray[np.float64],
    xy: NDArray[np.float64],
    visible: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Return the true tip at given times (n, 2), NaN where hidden."""
    before, after, share = _around(found_t, t_s)
    share = np.clip(share, 0, 1)
    between = xy[before] + share[:, None] * (xy[after] - xy[before])
    nearer = xy[np.where(share > 0.5, after, before)]
    both = visible[before] & visible[after]
    return np.where(both[:, None], between, nearer)


def _claimed(t_s: NDArray[np.float64], found_t: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which frames lie between close found points or within half a frame of one."""
    if not len(found_t):
        return np.zeros(len(t_s), np.bool_)
    before, after, share = _around(t_s, found_t)
    between = (share >= 0) & (share <= 1) & (found_t[after] - found_t[before] <= MAX_GAP_S)
    half_s = float(np.median(np.diff(t_s))) / 2 if len(t_s) > 1 else MAX_GAP_S / 2
    off_s = np.minimum(np.abs(found_t[before] - t_s), np.abs(found_t[after] - t_s))
    return np.asarray(between | (off_s < half_s), np.bool_)


def _give(truth: int, fits: list[list[int]], owner: dict[int, int], tried: set[int]) -> bool:
    """Find a found scene for a true one, moving earlier pairs if that helps (Kuhn's algorithm)."""
    for found in fits[truth]:
        if found in tried:
            continue
        tried.add(found)
        if found not in owner or _give(owner[found], fits, owner, tried):
            owner[found] = truth
            return True
    return False


def _iou_of_match(truth: Mapping[str, Any], found_boxes: Sequence[Mapping[str, Any]]) -> float:
    """Return the IoU of a true phrase and the found phrase it is compared with."""
    words = _content_words(truth["phrase"])
    box, best = None, (False, 0.0)
    for found in found_boxes:
        overlap_s = min(truth["end_s"], found["end_s"]) - max(truth["start_s"], found["start_s"])
        rank = (bool(words & _content_words(found["phrase"])), float(overlap_s))
        if overlap_s > 0 and rank > best:
            box, best = found["box_px"], rank
    return 0.0 if box is None else box_iou(truth["box_px"], box)


def _content_words(phrase: str) -> set[str]:
    """Return the words of a phrase that name something, in lower case."""
    words = {word.strip(".,;:!?\"'()").lower() for word in phrase.split()}
    return words - _FUNCTION_WORDS - {""}
