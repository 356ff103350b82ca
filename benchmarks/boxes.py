"""Grounding against known regions: boxes by gesture, the lineage's boxes, the shift of word times.

Draws narrations (`benchmarks.narrations`; these seeds were not looked at while the code was made),
aligns them in both modes and scores the boxes; then walks the bundled lectures from pixels and
sound in both modes. Prints a table and writes `benchmarks/results/boxes.json`.

    python -m benchmarks.boxes [--narrations 24] [--no-lectures]
"""

import argparse
import json
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from benchmarks.machine import about
from benchmarks.narrations import GESTURES, Narration, Said, narration
from benchmarks.walk import RESULTS
from medpipe import load_config, open_store, run_item
from medpipe.dataset import Committer, Dataset
from medpipe.demo.judge import bundled_lectures, mean_score, score_lectures
from medpipe.demo.score import box_iou
from medpipe.records import (
    Alignment,
    Phrase,
    Reading,
    Scene,
    ScoredBox,
    Sentence,
    Trace,
    Transcript,
    Word,
)
from medpipe.stages.acquire import resolve
from medpipe.stages.align import AlignConfig, align
from medpipe.stages.transcribe import Transcriber

FIRST_SEED = 5_000
PHRASES = 26
SHIFTS_S = (0.0, 0.7, -0.6, 0.3)
MODES: tuple[Literal["dwell", "kmeans"], ...] = ("dwell", "kmeans")
CIRCLED = ("circle", "small circle")
_WIDTH_PX = 1000
# A parked pointer is inside when it is this near to a region: its tip may touch the edge.
_EDGE = 0.02


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--narrations", type=int, default=24)
    parser.add_argument("--no-lectures", action="store_true")
    asked = parser.parse_args()
    seeds = range(FIRST_SEED, FIRST_SEED + asked.narrations)
    figures: dict[str, Any] = {
        **about(),
        "boxes": {mode: boxes(seeds, mode) for mode in MODES},
        "shift": shifts(seeds),
    }
    if not asked.no_lectures:
        figures["lectures"] = {mode: lectures(mode) for mode in MODES}
    show(figures)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "boxes.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def boxes(seeds: Sequence[int], mode: Literal["dwell", "kmeans"]) -> dict[str, Any]:
    """Score one mode: mean IoU, pointing game and boxes given, by gesture and by habit."""
    iou: dict[str, list[float]] = defaultdict(list)
    hit: dict[str, list[bool]] = defaultdict(list)
    flagged = []
    for place, seed in enumerate(seeds):
        drawn = narration(seed, phrases=PHRASES, shift_s=SHIFTS_S[place % len(SHIFTS_S)])
        found = boxes_by_phrase(drawn, AlignConfig(boxes=mode))
        for phrase, given in zip(drawn.phrases, found, strict=True):
            flagged += [box.negated == phrase.negated for box in given]
            kinds = [phrase.gesture, f"habit {drawn.habit}"]
            kinds += ["circled"] if phrase.gesture in CIRCLED else []
            for kind in kinds:
                iou[kind].append(_iou(phrase, given))
                hit[kind].append(_hit(phrase, given, drawn.height_per_width))
    return {
        "kinds": {
            kind: {
                "phrases": len(iou[kind]),
                "iou": float(np.mean(iou[kind])),
                "pointing": float(np.mean(hit[kind])),
            }
            for kind in iou
        },
        "phrases": sum(len(iou[gesture]) for gesture in GESTURES),
        "negation_flags_right": float(np.mean(flagged)),
    }


def shifts(seeds: Sequence[int]) -> dict[str, Any]:
    """Recover injected shifts, against the same teacher without one; and random words."""
    errors, silent, false, asked = [], 0, 0, 0
    habits: dict[str, list[float]] = defaultdict(list)
    for seed in seeds:
        plain = _shift(narration(seed, phrases=PHRASES))
        if plain is not None:
            habits[narration(seed, phrases=PHRASES).habit].append(plain)
        for shift_s in SHIFTS_S[1:]:
            asked += 1
            found = _shift(narration(seed, phrases=PHRASES, shift_s=shift_s))
            if found is None or plain is None:
                silent += 1
            else:
                errors.append(abs(found - plain + shift_s))
        drawn = narration(seed, phrases=PHRASES)
        elsewhere = narration(seed + 100_000, phrases=PHRASES)
        drawn.trace = elsewhere.trace  # the pointer of another lecture: nothing to be found
        false += _shift(drawn) is not None
    return {
        "injected": asked,
        "abstained": silent,
        "error_median_s": float(np.median(errors)) if errors else None,
        "error_p95_s": float(np.percentile(errors, 95)) if errors else None,
        "within_150_ms": float(np.mean(np.array(errors) <= 0.15 + 1e-9)) if errors else None,
        "found_without_injection_s": {h: float(np.median(v)) for h, v in sorted(habits.items())},
        "claimed_on_strange_traces": false / len(seeds),
    }


def lectures(mode: Literal["dwell", "kmeans"]) -> dict[str, float]:
    """Walk the bundled lectures and score their boxes by the demo's rule."""
    config = load_config("demo", ["transcribe.cpu_threads=1", f"align.boxes={mode}"])
    videos = bundled_lectures()
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(folder)
        transcriber = Transcriber(config.transcribe)
        transcriber.open()
        items = resolve([str(path) for path in videos], config.acquiring)
        Committer(store).commit([run_item(item, store, config, transcriber) for item in items])
        scores = score_lectures(Dataset(store), videos)
    return {score.name: score.box_iou for score in (*scores, mean_score(scores))}


def show(figures: dict[str, Any]) -> None:
    """Print the figures as a table."""
    ours, theirs = (figures["boxes"][mode]["kinds"] for mode in MODES)
    print(f"{figures['boxes']['dwell']['phrases']} phrases; mean IoU, pointing game")
    print(f"{'':18s}{'n':>5s}   {'dwell':>6s} {'':>6s}   {'kmeans':>6s}")
    for kind in ("circled", *GESTURES, "habit before", "habit during", "habit after"):
        a, b = ours[kind], theirs[kind]
        print(
            f"{kind:18s}{a['phrases']:5d}   {a['iou']:6.3f} {a['pointing']:6.3f}"
            f"   {b['iou']:6.3f} {b['pointing']:6.3f}"
        )
    for name, value in figures["shift"].items():
        print(f"shift {name}: {value}")
    for mode, scores in figures.get("lectures", {}).items():
        print(f"lectures, {mode}: " + ", ".join(f"{n} {v:.3f}" for n, v in scores.items()))


def boxes_by_phrase(drawn: Narration, config: AlignConfig) -> list[tuple[ScoredBox, ...]]:
    """The boxes of each phrase of a narration, in order."""
    found = {
        (said.words[0].text, said.words[-1].text): said.boxes
        for said in _aligned(drawn, config).narrations
        if said.kind == "roi"
    }
    return [
        found[drawn.words[p.first_word][0], drawn.words[p.end_word - 1][0]] for p in drawn.phrases
    ]


def _shift(drawn: Narration) -> float | None:
    return _aligned(drawn, AlignConfig()).shift_s


def _aligned(drawn: Narration, config: AlignConfig) -> Alignment:
    words = tuple(
        Word(text=text, start_s=start, end_s=end, probability=0.9)
        for text, start, end in drawn.words
    )
    length_s = max(drawn.duration_s, words[-1].end_s)
    heard = Transcript(
        language="en", duration_s=length_s, speech_s=length_s, model="drawn", words=words,
        segments=(),
    )  # fmt: skip
    sentences = tuple(_sentence(drawn, words, first, end) for first, end in drawn.sentences)
    height_px = round(_WIDTH_PX * drawn.height_per_width)
    t, ones = drawn.trace, np.ones(len(drawn.trace))
    trace = Trace.of(t[:, 0], t[:, 1], t[:, 2], 0.9 * ones, ones)
    box_px = (0, 0, _WIDTH_PX, height_px)
    scene = Scene(0, 0.0, length_s, "", _WIDTH_PX, height_px, box_px, 0, trace)
    return align(Reading(method="drawn", sentences=sentences), heard, [scene], config)


def _sentence(drawn: Narration, words: Sequence[Word], first: int, end: int) -> Sentence:
    phrases = tuple(
        Phrase(**_said(words, p.first_word, p.end_word), negated=p.negated)
        for p in drawn.phrases
        if first <= p.first_word < end
    )
    negated = any(phrase.negated for phrase in phrases)
    return Sentence(**_said(words, first, end), negated=negated, phrases=phrases)


def _said(words: Sequence[Word], first: int, end: int) -> dict[str, Any]:
    text = " ".join(word.text for word in words[first:end])
    return {
        "text": text,
        "raw_text": text,
        "first_word": first,
        "end_word": end,
        "start_s": words[first].start_s,
        "end_s": max(word.end_s for word in words[first:end]),
    }


def _iou(phrase: Said, given: Sequence[ScoredBox]) -> float:
    """Mean over the phrase's regions of the best box's IoU; one region: the first box's."""
    corners = [(box.x0, box.y0, box.x1, box.y1) for box in given]
    if len(phrase.regions) == 1:
        return box_iou(phrase.regions[0], corners[0]) if corners else 0.0
    best = [max((box_iou(r, c) for c in corners), default=0.0) for r in phrase.regions]
    return float(np.mean(best))


def _hit(phrase: Said, given: Sequence[ScoredBox], height_per_width: float) -> bool:
    """Whether the middle of the first box lies in a region."""
    if not given:
        return False
    x, y = (given[0].x0 + given[0].x1) / 2, (given[0].y0 + given[0].y1) / 2
    edge = _EDGE / height_per_width
    return any(
        x0 - _EDGE <= x <= x1 + _EDGE and y0 - edge <= y <= y1 + edge
        for x0, y0, x1, y1 in phrase.regions
    )


if __name__ == "__main__":
    main()
