"""What the report's player needs of one sample: lines, phrases, trace and clock, as plain JSON."""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

Row = Mapping[str, Any]
Span = tuple[float | None, float | None]

# Stretches of the video further apart than this are played one right after the other.
_CUT_S = 2.0
_PAD_S = 0.4
# Above this many words the refined text is spread over the sentence's time, not matched.
_MATCH_WORDS = 400
_SLACK_S = 1e-3


class Token(NamedTuple):
    """A word of a line's text, and when it is said (None where nobody says it)."""

    text: str
    start_s: float | None
    end_s: float | None
    phrase: int


class Line(NamedTuple):
    """A sentence, caption or mention."""

    kind: str
    negated: bool
    start_s: float | None
    end_s: float | None
    tokens: list[Token]


class Said(NamedTuple):
    """One time at which a phrase is said.

    Attributes:
        start_s: Seconds from the video's start.
        end_s: Same clock.
        seen_s: First and last time of its part of the trace, same clock, or None.
        boxes: Shares of the image (x0, y0, x1, y1), best first.
    """

    start_s: float | None
    end_s: float | None
    seen_s: tuple[float, float] | None
    boxes: list[list[float]]


class Phrase(NamedTuple):
    """A phrase of the legend: the same words, said once or more."""

    text: str
    negated: bool
    deictic: bool
    said: list[Said]


class Played(NamedTuple):
    """One sample as the player takes it.

    Attributes:
        lines: In order of time.
        phrases: In order of their first time; tokens name them by place.
        trace: t_s (seconds from the video's start), x and y (shares of the image).
        stretches: Parts of the video that the clock runs through.
    """

    lines: list[Line]
    phrases: list[Phrase]
    trace: tuple[list[float], list[float], list[float]]
    stretches: list[tuple[float, float]]

    def as_json(self) -> dict[str, Any]:
        """Plain lists and dicts, short of names because long traces are many numbers."""
        t_s, x, y = self.trace
        return {
            "lines": [
                {"start": n.start_s, "end": n.end_s, "tokens": [list(t) for t in n.tokens]}
                for n in self.lines
            ],
            "phrases": [
                {
                    "text": p.text,
                    "negated": p.negated,
                    "said": [
                        {"start": s.start_s, "end": s.end_s, "seen": s.seen_s, "boxes": s.boxes}
                        for s in p.said
                    ],
                }
                for p in self.phrases
            ],
            "trace": {"t": t_s, "x": x, "y": y},
            "stretches": self.stretches,
        }


def played(sample: Row) -> Played:
    """Rearrange a row of `samples` for the player.

    Args:
        sample: The row; times of words count from the video's start, those of traces from the
            start of their scene.
    """
    said = sorted(sample.get("narrations") or (), key=lambda n: number(n.get("start_s")) or 0.0)
    starts = [number(scene.get("start_s")) or 0.0 for scene in sample.get("scenes") or ()]
    phrases = _phrases([n for n in said if n.get("kind") == "roi"], starts)
    named = _named(phrases)
    lines = [_line(n, named) for n in said if n.get("kind") != "roi"]
    trace = _trace(said, starts)
    return Played(lines, phrases, trace, _stretches(said, trace[0]))


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, int | float) and math.isfinite(value):
        return round(float(value), 4)
    return None


def _phrases(narrations: Sequence[Row], starts: Sequence[float]) -> list[Phrase]:
    found: dict[tuple[str, bool], Phrase] = {}
    for narration in narrations:
        text, negated = str(narration.get("text") or ""), bool(narration.get("negated"))
        key = (text.casefold(), negated)
        deictic = bool(narration.get("deictic"))
        phrase = found.setdefault(key, Phrase(text, negated, deictic, []))
        times = [t for t, _, _ in _points(narration, starts)]
        boxes = [_box(box) for box in narration.get("boxes") or ()]
        phrase.said.append(
            Said(
                number(narration.get("start_s")),
                number(narration.get("end_s")),
                (min(times), max(times)) if times else None,
                [box for box in boxes if box],
            )
        )
        if deictic and not phrase.deictic:
            found[key] = phrase._replace(deictic=True)
    return list(found.values())


def _box(box: Row) -> list[float]:
    shares = [number(value) for value in box.get("xyxy") or ()]
    kept = [share for share in shares if share is not None]
    return kept if len(kept) == len(shares) == 4 else []


def _line(narration: Row, named: Sequence[tuple[float, float, int]]) -> Line:
    start, end = number(narration.get("start_s")), number(narration.get("end_s"))
    texts = str(narration.get("text") or "").split()
    times = _times(texts, narration.get("words") or (), start, end)
    tokens = [
        Token(text, *span, _phrase_at(span, named)) for text, span in zip(texts, times, strict=True)
    ]
    return Line(str(narration.get("kind")), bool(narration.get("negated")), start, end, tokens)


def _times(
    texts: Sequence[str], words: Sequence[Row], start: float | None, end: float | None
) -> list[Span]:
    """When each word of the refined text is said, from the times of the words as heard."""
    spans = [(number(w.get("start_s")), number(w.get("end_s"))) for w in words]
    heard = [(a, max(a, b)) for a, b in spans if a is not None and b is not None]
    if start is None or end is None:
        return [(None, None)] * len(texts)
    if len(heard) == len(words) == len(texts):
        return list(heard)
    if len(heard) < len(words) or not words or max(len(words), len(texts)) > _MATCH_WORDS:
        return _spread(len(texts), start, end)
    times: list[Span] = []
    mine, theirs = map(_bare, texts), [_bare(str(w.get("text") or "")) for w in words]
    for tag, i0, i1, j0, j1 in SequenceMatcher(None, list(mine), theirs, False).get_opcodes():
        if tag == "equal":
            times += heard[j0:j1]
        elif j1 > j0:
            times += _spread(i1 - i0, heard[j0][0], heard[j1 - 1][1])
        else:
            edge = heard[j0 - 1][1] if j0 else heard[0][0]
            times += _spread(i1 - i0, edge, edge)
    return times


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def _spread(n: int, start: float, end: float) -> list[Span]:
    step = max(end - start, 0.0) / max(n, 1)
    return [(round(start + k * step, 4), round(start + (k + 1) * step, 4)) for k in range(n)]


def _named(phrases: Sequence[Phrase]) -> list[tuple[float, float, int]]:
    """Start, end and phrase of everything that was pointed at, by start."""
    return sorted(
        (said.start_s - _SLACK_S, said.end_s + _SLACK_S, k)
        for k, phrase in enumerate(phrases)
        for said in phrase.said
        if said.start_s is not None and said.end_s is not None
    )


def _phrase_at(span: Span, named: Sequence[tuple[float, float, int]]) -> int:
    """The phrase that a word belongs to, by time; -1 if none. Looks back over a few only."""
    start, end = span
    if start is None or end is None:
        return -1
    upto = bisect_right(named, (start, math.inf, 0))
    for first, last, phrase in reversed(named[max(upto - 4, 0) : upto]):
        if first <= start and end <= last:
            return phrase
    return -1


def _points(narration: Row, starts: Sequence[float]) -> Iterable[tuple[float, float, float]]:
    """The narration's trace on the video's clock; nothing if its scene is not known."""
    trace, scene = narration.get("trace") or {}, narration.get("scene")
    if not isinstance(scene, int) or not 0 <= scene < len(starts):
        return
    for point in zip(*(trace.get(key) or () for key in ("t_s", "x", "y")), strict=False):
        t_s, x, y = map(number, point)
        if t_s is not None and x is not None and y is not None:
            yield round(t_s + starts[scene], 3), x, y


def _trace(
    narrations: Sequence[Row], starts: Sequence[float]
) -> tuple[list[float], list[float], list[float]]:
    """All narrations' traces as one, each point once."""
    at = {t: (x, y) for narration in narrations for t, x, y in _points(narration, starts)}
    order = sorted(at)
    return order, [at[t][0] for t in order], [at[t][1] for t in order]


def _stretches(narrations: Sequence[Row], trace_s: Sequence[float]) -> list[tuple[float, float]]:
    spans = [(t, t) for t in trace_s]
    for narration in narrations:
        start, end = number(narration.get("start_s")), number(narration.get("end_s"))
        if start is not None and end is not None and end > start:
            spans.append((start, end))
    stretches: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        low, high = round(max(start - _PAD_S, 0.0), 3), round(end + _PAD_S, 3)
        if stretches and low - stretches[-1][1] <= _CUT_S:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], high))
        else:
            stretches.append((low, high))
    return stretches
