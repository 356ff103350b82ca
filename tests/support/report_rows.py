"""Rows of `samples` and `items` made up for the report's tests."""

import math
from typing import Any

import cv2
import numpy as np

HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    '<img src=x onerror="window.hacked = 1">',
    "\" onmouseover='window.hacked = 1' x=\"",
    "javascript:window.hacked=1",
    "<!--items--> $title ${script} <!--samples-->",
    "\u202eright to left \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "line\u2028and\u2029paragraph\x00\x1b",
    "Donaudampfschifffahrtsgesellschaft" * 12,
    "&lt;b&gt; ]]> --> <style>*{display:none}</style>",
)


def jpeg(width: int = 640, height: int = 400, shade: int = 60) -> bytes:
    """A real picture: rings on a ground."""
    image = np.full((height, width, 3), shade, np.uint8)
    cv2.circle(image, (width // 3, height // 2), height // 4, (90, 140, 200), -1)
    cv2.circle(image, (2 * width // 3, height // 2), height // 5, (200, 190, 160), 6)
    return cv2.imencode(".jpg", image)[1].tobytes()


def narration(kind: str, text: str, start_s: float, step_s: float = 0.5, **more: Any) -> Any:
    """Words said one after the other, the pointer going round meanwhile in scene 0 from 10 s."""
    words = text.split()
    end_s = start_s + step_s * len(words)
    t_s = np.arange(start_s - 0.5, end_s + 0.5, 1 / 16) - 10
    row = {
        "kind": kind,
        "text": text,
        "raw_text": text,
        "start_s": start_s,
        "end_s": end_s,
        "scene": 0,
        "words": [
            {
                "text": word,
                "start_s": start_s + k * step_s,
                "end_s": start_s + (k + 1) * step_s,
                "probability": 0.9,
            }
            for k, word in enumerate(words)
        ],
        "negated": False,
        "deictic": False,
        "concepts": [],
        "trace": {
            "t_s": t_s.tolist(),
            "x": [0.33 + 0.12 * math.cos(t) for t in t_s],
            "y": [0.5 + 0.2 * math.sin(t) for t in t_s],
            "confidence": [1.0] * len(t_s),
            "kind": [1] * len(t_s),
        },
        "boxes": [],
    }
    return {**row, **more}


def box(x0: float, y0: float, x1: float, y1: float) -> dict[str, Any]:
    return {"xyxy": [x0, y0, x1, y1], "score": 0.9, "area": 0.1, "n_points": 9, "method": "stay"}


def sample(index: int = 0, **more: Any) -> dict[str, Any]:
    """An image with two sentences and three phrases."""
    said = [
        narration("medical", "Here we see the bright optic disc.", 11),
        narration("roi", "the bright optic disc", 12.5, boxes=[box(0.18, 0.28, 0.48, 0.72)]),
        narration("roi", "Here", 11, deictic=True),
        narration("medical", "There is no bleeding at the rim.", 16, negated=True),
        narration("roi", "bleeding", 17.5, negated=True, boxes=[box(0.55, 0.3, 0.8, 0.7)]),
    ]
    row = {
        "id": f"file:ab#{index:03d}",
        "item_id": "file:ab",
        "index": index,
        "image": {"bytes": jpeg(), "path": "x.jpg"},
        "width_px": 640,
        "height_px": 400,
        "scenes": [{"start_s": 10.0, "end_s": 20.0, "box_px": [0, 0, 640, 400]}],
        "domains": [{"domain": "ophthalmology", "score": 0.87}],
        "flags": [],
        "narrations": said,
        "duplicate_of": None,
        "title": "A lecture",
        "channel": None,
        "licence": None,
        "url": None,
    }
    return {**row, **more}


def item(**more: Any) -> dict[str, Any]:
    row = {
        "id": "file:ab",
        "title": "A lecture",
        "channel": "A teacher",
        "licence": "CC0-1.0",
        "url": "https://example.org/watch?v=1&t=2",
        "verdict": "done",
        "reason": None,
        "detail": None,
        "duration_s": 3725.4,
        "counts": {"samples": 1, "narrations": 5, "boxes": 2, "words": 1234, "trace_points": 99},
    }
    return {**row, **more}


def hostile_rows() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every text of the rows is one that wants out."""
    samples, items = [], []
    for k, text in enumerate(HOSTILE):
        names = {"title": text, "channel": text, "licence": text, "url": text}
        said = [
            narration("medical", text, 11, words=[], negated=True),
            narration("roi", text, 11, deictic=True, boxes=[box(0.1, 0.1, 0.4, 0.9)]),
            narration(text, text, 14, scene=7),
        ]
        own = {"item_id": f"file:{text}", "flags": [text], "duplicate_of": text}
        domains = [{"domain": text, "score": 0.5}]
        samples.append(sample(k, narrations=said, domains=domains, **own, **names))
        more = {"verdict": text, "reason": text, "detail": text}
        items.append(item(id=f"file:{text}", **more, **names))
    return samples, items
