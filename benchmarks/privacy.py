"""Names and numbers burned into pictures: how many are found, and what is masked by mistake.

Identifiers are drawn over real pictures and slides in many fonts, sizes and contrasts, with
harmless words beside them; clean pictures carry harmless words alone, or are slides. A picture is
searched and masked, encoded as the dataset stores it, decoded and read again: what is left counts.
Names come from eight languages (Faker), slide lines from real articles where those are there.

    python -m benchmarks.privacy [--seeds 900 1100] [--sheet OUT.png] [--radiographs 100]
"""

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.identified import (
    Box,
    Lot,
    Page,
    draw_named,
    draw_overlays,
    draw_picture,
    draw_slide,
)
from benchmarks.machine import about
from benchmarks.tracing.pages import Rgb, available, laid_out, load
from medpipe.dataset import ImageConfig, encode_image
from medpipe.dataset.images import decode_image
from medpipe.stages.classify import ClassifyConfig, search
from medpipe.stages.classify.reading import read_text

RESULTS = Path(__file__).parent / "results" / "privacy.json"
WORKERS = 4


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs=2, type=int, default=(900, 1100), help="first and end")
    parser.add_argument("--sheet", type=Path, help="draw what was missed or wrongly masked here")
    parser.add_argument("--radiographs", type=int, default=100, help="of the shared data, clean")
    parser.add_argument("--how", choices=("mask", "blur"), default="mask")
    parser.add_argument("--sides", nargs="+", type=int, help="sizes at which a picture is read")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    config = ClassifyConfig(identifiers=args.how)
    if args.sides:
        config = config.model_copy(update={"text_long_sides_px": tuple(args.sides)})
    wrong: list[tuple[str, NDArray[np.uint8]]] = []
    body: dict[str, object] = {**about(), "seeds": list(args.seeds), "how": args.how}
    body["named"] = named(range(*args.seeds), config, wrong)
    body["clean"] = clean(range(*args.seeds)[::3], args.radiographs, config, wrong)
    body["cpu_ms_at_720p"] = cost(config)
    print("CPU at 1280 x 720, ms", body["cpu_ms_at_720p"])
    if args.sheet:
        _sheet(wrong, args.sheet)
    if tuple(args.seeds) == (900, 1100) and not args.sides and args.how == "mask":
        RESULTS.write_text(json.dumps(body, indent=1) + "\n", "utf-8")


def named(
    seeds: range, config: ClassifyConfig, wrong: list[tuple[str, NDArray[np.uint8]]]
) -> dict[str, object]:
    """Identifiers that were drawn: found, and left in the stored bytes."""
    found: dict[str, list[bool]] = defaultdict(list)
    left, whole, over = 0, 0, []
    for tried in _at_once(partial(_try_named, config=config), seeds):
        for kind, hit in tried.hits:
            found[kind].append(hit)
        whole += all(hit for _, hit in tried.hits)
        left += tried.left
        over.append(tried.masked)
        if tried.shown is not None:
            wrong.append((tried.told, tried.shown))
            print(f"  {tried.told}")
    every = [hit for hits in found.values() for hit in hits]
    for kind, hits in found.items():
        print(f"{kind:22s} {np.mean(hits):.3f} of {len(hits)}")
    print(
        f"identifiers found {np.mean(every):.4f} of {len(every)}; pictures without a miss "
        f"{whole / len(seeds):.3f} of {len(seeds)}; readable in the stored bytes {left}; "
        f"masked share of a picture, mean {np.mean(over):.3f}"
    )
    return {
        "found": float(np.mean(every)),
        "identifiers": len(every),
        "pictures_without_a_miss": whole / len(seeds),
        "readable_in_stored_bytes": left,
        "by_kind": {kind: [float(np.mean(hits)), len(hits)] for kind, hits in found.items()},
    }


@dataclass(frozen=True)
class _Tried:
    hits: list[tuple[str, bool]]
    left: int
    masked: float
    told: str = ""
    shown: NDArray[np.uint8] | None = None


def _try_named(seed: int, config: ClassifyConfig) -> _Tried:
    page = draw_named(np.random.default_rng([seed, 11]))
    bgr = np.ascontiguousarray(page.rgb[:, :, ::-1])
    searched = search(bgr, config)
    hits = [covered(box, searched.boxes_px) >= 0.95 for _, _, box in page.truth]
    stored = decode_image(encode_image(np.asarray(searched.image), ImageConfig()))
    rest = still_readable(stored, page, config)
    tried = _Tried(
        [(kind, hit) for (kind, _, _), hit in zip(page.truth, hits, strict=True)],
        len(rest),
        covered((0, 0, bgr.shape[1], bgr.shape[0]), searched.boxes_px),
    )
    if all(hits) and not rest:
        return tried
    missed = [said for (_, said, _), hit in zip(page.truth, hits, strict=True) if not hit]
    told = f"{seed}: missed {missed} left {rest}"
    return replace(tried, told=told, shown=_boxed(bgr, page, searched.boxes_px))


def _at_once(act: Callable[[int], Any], seeds: Sequence[int]) -> Iterator[Any]:
    with ProcessPoolExecutor(WORKERS) as pool:
        yield from pool.map(act, seeds)


def clean(
    seeds: range,
    radiographs: int,
    config: ClassifyConfig,
    wrong: list[tuple[str, NDArray[np.uint8]]],
) -> dict[str, list[float]]:
    """Shares of pictures without an identifier that were masked; radiographs name uploaders."""
    told: dict[str, list[float]] = {}
    drawn = {"bare": seeds, "overlays": seeds, "slides": seeds}
    if radiographs and available("vqa:0"):
        drawn["radiographs (with credits)"] = range(radiographs)
    for kind, lots in drawn.items():
        tried = list(_at_once(partial(_try_clean, kind=kind, config=config), lots))
        mistakes = [each for each in tried if each is not None]
        for name, shown in mistakes:
            print(f"  {name}")
            wrong.append((name, shown))
        told[kind] = [len(mistakes) / len(tried), len(tried)]
        print(f"masked, {kind:12s} {len(mistakes) / len(tried):.3f} of {len(tried)}")
    return told


def _try_clean(
    seed: int, kind: str, config: ClassifyConfig
) -> tuple[str, NDArray[np.uint8]] | None:
    draw = {"bare": (draw_picture, 12), "overlays": (draw_overlays, 13), "slides": (draw_slide, 14)}
    if kind in draw:
        way, lot = draw[kind]
        rgb = way(np.random.default_rng([seed, lot]))
    else:
        rgb = load(f"vqa:{seed}")
    bgr = np.ascontiguousarray(rgb[:, :, ::-1])
    boxes = search(bgr, config).boxes_px
    if not boxes:
        return None
    return f"{kind} {seed}: {_said_there(bgr, boxes, config)}", _boxed(bgr, Page(rgb), boxes)


def cost(config: ClassifyConfig) -> dict[str, float]:
    """Median CPU milliseconds of a search at 1280 x 720, by kind of picture."""
    told = {}
    drawn: dict[str, Callable[[Lot], Rgb]] = {
        "picture": lambda rng: draw_picture(rng, (1280, 720)),
        "slide": lambda rng: laid_out(int(rng.integers(1 << 30)), (1280, 720), ("head_ct",), 6)[0],
    }
    for kind, draw in drawn.items():
        spent = []
        for seed in range(7):
            bgr = np.ascontiguousarray(draw(np.random.default_rng(seed))[:, :, ::-1])
            began_s = time.process_time()
            search(bgr, config)
            spent.append(time.process_time() - began_s)
        told[kind] = round(float(np.median(spent)) * 1e3, 1)
    return told


def covered(box: Box, masks: Sequence[Box]) -> float:
    """Share of a box under masks."""
    x0, y0, x1, y1 = box
    under = np.zeros((y1 - y0, x1 - x0), bool)
    for a, b, c, d in masks:
        under[max(b - y0, 0) : max(d - y0, 0), max(a - x0, 0) : max(c - x0, 0)] = True
    return float(under.mean())


def still_readable(stored: NDArray[np.uint8], page: Page, config: ClassifyConfig) -> list[str]:
    """Identifiers of which a piece of three characters can be read where it stood."""
    texts = read_text(stored, long_sides_px=config.text_long_sides_px, min_score=0.3)
    rest = []
    for _, said, (x0, y0, x1, y1) in page.truth:
        pieces = {part.lower() for part in re.findall(r"\w{3,}", said)}
        for text in texts:
            a, b, c, d = text.box_px
            near = a < x1 and c > x0 and b < y1 and d > y0
            if near and any(piece in text.text.lower() for piece in pieces):
                rest.append(said)
                break
    return rest


def _said_there(bgr: NDArray[np.uint8], boxes: Sequence[Box], config: ClassifyConfig) -> list[str]:
    texts = read_text(bgr, long_sides_px=config.text_long_sides_px, min_score=config.min_text_score)
    return [text.text for text in texts if covered(text.box_px, boxes) > 0.9]


def _boxed(bgr: NDArray[np.uint8], page: Page, found: Sequence[Box]) -> NDArray[np.uint8]:
    shown = bgr.copy()
    for _, _, (x0, y0, x1, y1) in page.truth:
        cv2.rectangle(shown, (x0, y0), (x1, y1), (0, 220, 0), 2)
    for x0, y0, x1, y1 in found:
        cv2.rectangle(shown, (x0, y0), (x1, y1), (60, 60, 255), 1)
    return np.asarray(cv2.resize(shown, (640, 400), interpolation=cv2.INTER_AREA), np.uint8)


def _sheet(pages: Sequence[tuple[str, NDArray[np.uint8]]], path: Path) -> None:
    shown = [page for _, page in pages[:12]]
    shown += [np.zeros((400, 640, 3), np.uint8)] * (-len(shown) % 3)
    rows = [np.hstack(shown[k : k + 3]) for k in range(0, len(shown), 3)]
    if rows:
        cv2.imwrite(str(path), np.vstack(rows))


if __name__ == "__main__":
    main()
