"""Learn what a video's pointer looks like from patches that moved."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from medpipe.records import PointerKind
from medpipe.stages.extract.blobs import Blob
from medpipe.stages.extract.explain import account
from medpipe.stages.extract.fits import Fit, Fits
from medpipe.stages.extract.grid import Gray
from medpipe.stages.extract.template import Template, search
from medpipe.stages.extract.tip import Shape, read_shape

_MOST_CROPS = 16
_FEWEST_PLACES = 4
_ALIKE_RMS = 24.0
_ALIKE_TO_LEVEL = 1.4
_MOST_MODELS = 8
_GROW_PX = 12
_SOLID = 0.5
_SMALLEST_MASS_PX = 20.0
_TELLING_SHARE = 0.5
_TELLING_UNDER = 0.7
_SHARPENINGS = 2
_MOST_TO_SHARPEN = 48
_STRICTEST_BOUND = 18.0
_LOOSEST_RMS = 38.0
_DISTINCT_CONTRAST = 22.0
_DISTINCT_SHARE = 0.75
_BOUND_SHARE = 0.7
_LEAST_RARE = 2.5
_ROUND = frozenset({PointerKind.LASER, PointerKind.HALO})
_SMALLEST_DISC_PX = 20
_DISC_FILL = 0.6
_SMALLEST_CORE_PX = 60

Floats = NDArray[np.float32]


def _rarest(template: Template, elsewhere: Gray) -> float:
    """RMS of the second best place: the best may be the pointer itself, parked."""
    found = search(elsewhere, template, 2.0)
    return found[1].rms if len(found) > 1 else np.inf


def learn(
    blobs: Sequence[Blob], elsewhere: Gray, level: float, fits: Fits | None = None
) -> Template | None:
    """Learn a pointer's look from patches that moved.

    Args:
        blobs: Patches of one pointer and whatever else stood out.
        elsewhere: (h, w) uint8, a background; says how rare the look is.
        level: Grey levels that count as a change, the measure of the video's noise.
        fits: What is known already of which patch is like which.

    Returns:
        The template, or None when too few distinct places agree on a look.
    """
    crops = _distinct(blobs)
    if len(crops) < _FEWEST_PLACES:
        return None
    alike = float(np.clip(_ALIKE_TO_LEVEL * level, _ALIKE_RMS, _LOOSEST_RMS))
    found = _learn_disc(crops, elsewhere)
    models = [] if found is not None else _models(crops, alike, fits or Fits())
    for model, places in models:
        found = _refine(model, places, crops, elsewhere, alike)
        if found is not None:
            break
    return None if found is None else _sharpened(found, blobs, crops, elsewhere)


def _sharpened(
    template: Template, blobs: Sequence[Blob], crops: list[Blob], elsewhere: Gray
) -> Template:
    """Look again at a look, now that more of its places are known."""
    for _ in range(_SHARPENINGS):
        friends = []
        for blob in blobs[:: len(blobs) // _MOST_TO_SHARPEN + 1]:
            told = account(template, blob)
            if told is not None and told.share > _TELLING_SHARE:
                x, y = round(told.found.x) - blob.wx, round(told.found.y) - blob.wy
                friends.append((blob, x, y))
        layers = _layers(friends, template.look.shape)
        if len(layers[0]) < 2 * _FEWEST_PLACES:
            return template
        look, weight = _trim(*_unmix(*layers))
        if weight.sum() < _SMALLEST_MASS_PX:
            return template
        better = _accepted(look, weight, crops, elsewhere, _ALIKE_RMS)
        if better is None or better.places < template.places:
            return template
        template = better
    return template


def _learn_disc(crops: list[Blob], elsewhere: Gray) -> Template | None:
    """Learn what is solid in a translucent disc, from discs of one size on many backgrounds."""
    best: list[Blob] = []
    for model in crops:
        height, width = model.mask.shape
        if min(height, width) < _SMALLEST_DISC_PX or model.area < _DISC_FILL * height * width:
            continue
        same = [o for o in crops if np.abs(np.subtract(o.mask.shape, model.mask.shape)).max() <= 2]
        same = [o for o in same if 0.7 < o.area / model.area < 1.4]
        best = max(best, same, key=len)
    if len(best) <= _FEWEST_PLACES:
        return None
    friends = [(blob, blob.x0 - blob.wx, blob.y0 - blob.wy) for blob in best]
    look, weight = _trim(*_unmix(*_layers(friends, best[0].mask.shape)))
    solid = float((weight > 0).sum())
    if solid < _SMALLEST_CORE_PX or solid > 0.5 * best[0].area:
        return None
    return _accepted(look, weight, crops, elsewhere, _ALIKE_RMS)


def _distinct(blobs: Sequence[Blob]) -> list[Blob]:
    picked: list[Blob] = []
    worth = [b for b in blobs if b.area >= _SMALLEST_MASS_PX]
    ranked = sorted(worth, key=lambda b: (-b.energy * (1 + (b.end - b.start > 1)), b.start))
    for blob in ranked[: 18 * _MOST_CROPS]:
        x, y = blob.centre
        apart = [np.hypot(x - p.centre[0], y - p.centre[1]) > 0.5 * p.side + 3 for p in picked]
        if all(apart):
            picked.append(blob)
        if len(picked) == _MOST_CROPS:
            break
    return picked


def _models(crops: list[Blob], alike: float, fits: Fits) -> list[tuple[Blob, list[Fit]]]:
    """Blobs that most others agree with and where each crop shows them, best first."""
    ranked = []
    for model in crops:
        found = fits.of(model, crops)
        rms = [fit[0] for fit, other in zip(found, crops, strict=True) if other is not model]
        friends = sum(each < alike for each in rms)
        if friends + 1 >= _FEWEST_PLACES:
            ranked.append((-(friends + 1) * model.area**0.5, float(np.median(rms)), model, found))
    ranked.sort(key=lambda row: row[:2])
    return [(model, found) for _, _, model, found in ranked[:_MOST_MODELS]]


def _refine(
    model: Blob, fits: list[Fit], crops: list[Blob], elsewhere: Gray, alike: float
) -> Template | None:
    friends = [(o, x, y) for o, (rms, x, y) in zip(crops, fits, strict=True) if rms < alike]
    layers = _layers(friends, model.mask.shape)
    if len(layers[0]) < _FEWEST_PLACES:
        return None
    look, weight = _unmix(*layers)
    look, weight = _trim(look, weight)
    if weight.sum() < _SMALLEST_MASS_PX:
        return None
    return _accepted(look, weight, crops, elsewhere, alike)


def _accepted(
    look: Floats, weight: Floats, crops: list[Blob], elsewhere: Gray, alike: float
) -> Template | None:
    """Make a template of a look if it explains enough crops."""
    draft = Template(look, weight, (0, 0), PointerKind.UNKNOWN, alike, len(crops))
    told = [told for blob in crops if (told := account(draft, blob)) is not None]
    telling = sum(each.share > _TELLING_SHARE for each in told)
    good = [e.found.rms for e in told if e.share > _TELLING_SHARE or e.under > _TELLING_UNDER]
    if telling < _FEWEST_PLACES - 1 or len(good) < _FEWEST_PLACES:
        return None
    rarest = _rarest(draft, elsewhere)
    if rarest < _LEAST_RARE:
        # The picture holds the very same thing twice: letters do, a pointer does not.
        return None
    bound = float(np.clip(2.5 * np.median(good) + 6, _STRICTEST_BOUND, _LOOSEST_RMS))
    shape: Shape = read_shape(look, weight)
    mean = float((look * weight).sum() / weight.sum())
    contrast = float((((look - mean) ** 2 * weight).sum() / weight.sum()) ** 0.5)
    rare = contrast > _DISTINCT_CONTRAST and bound < _DISTINCT_SHARE * rarest
    distinct = rare and shape.kind not in _ROUND
    bound = min(bound, _BOUND_SHARE * rarest)
    return Template(look, weight, shape.tip, shape.kind, bound, len(good), distinct)


def _layers(friends: list[tuple[Blob, int, int]], size: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Stack the friends' windows on the model's frame, grown on each side."""
    height, width = size[0] + 2 * _GROW_PX, size[1] + 2 * _GROW_PX
    now, behind = [], []
    for blob, x, y in friends:
        top, left = y - _GROW_PX, x - _GROW_PX
        if top < 0 or left < 0:
            continue
        part = np.s_[top : top + height, left : left + width]
        if blob.now[part].shape == (height, width):
            now.append(blob.now[part])
            behind.append(blob.behind[part])
    shape = (len(now), height, width)
    return (
        np.asarray(now, np.float32).reshape(shape),
        np.asarray(behind, np.float32).reshape(shape),
    )


def _unmix(now: Floats, behind: Floats) -> tuple[Floats, Floats]:
    """Split what is shown into a look and how much of it covers the background.

    Per pixel `now = a * look + (1 - a) * behind` over the places; the slope over `behind` is
    `1 - a`. Where the background never varied the difference itself decides.
    """
    mean_now, mean_behind = now.mean(0), behind.mean(0)
    spread = ((behind - mean_behind) ** 2).mean(0)
    shared = ((behind - mean_behind) * (now - mean_now)).mean(0)
    slope = (shared + 30.0) / (spread + 30.0)
    differs = np.clip((np.abs(now - behind).mean(0) - 8.0) / 16.0, 0, 1)
    known = spread / (spread + 60.0)
    cover = known * np.clip(1 - slope, 0, 1) + (1 - known) * differs
    look = np.median(now, axis=0).astype(np.float32)
    scatter = np.abs(now - look).mean(0)
    cover = np.where(scatter > 28, 0, cover)
    return look, np.where(cover > _SOLID, cover, 0).astype(np.float32)


def _trim(look: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Keep the largest patch of the weight and cut the rest away."""
    solid = cv2.dilate((weight > 0).astype(np.uint8), np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return look, np.zeros_like(weight)
    label = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = (int(v) for v in stats[label, :4])
    part = np.s_[y : y + height, x : x + width]
    return look[part].copy(), np.where(labels == label, weight, 0).astype(np.float32)[part].copy()
