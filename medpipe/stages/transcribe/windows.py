"""Group stretches of speech into windows for the model, and find speech that it missed."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from medpipe.stages.transcribe.heard import Span

GRID_S = 0.01


def windows_of(
    speech: Sequence[Span], *, window_s: float, join_gap_s: float, pad_s: float, sound_s: float
) -> list[Span]:
    """Group stretches of speech into windows that end where nobody speaks.

    Args:
        speech: In order, not overlapping, none longer than `window_s`.
        window_s: No window is longer before it is padded, unless one stretch is.
        join_gap_s: A longer silence always ends a window.
        pad_s: Silence that a window takes along at both ends, at most half of what there is.
        sound_s: Length of the block.

    Returns:
        Windows in order, not overlapping, on a grid of 10 ms (the model's frames), together
        covering the speech.
    """
    cores: list[Span] = []
    for island in _islands(speech, join_gap_s):
        cores.extend(_split(island, window_s))
    befores = [0.0, *((a.end_s + b.start_s) / 2 for a, b in pairwise(cores)), sound_s]
    return [
        _on_grid(Span(max(core.start_s - pad_s, low), min(core.end_s + pad_s, high)))
        for core, (low, high) in zip(cores, pairwise(befores), strict=True)
    ]


def halves(window: Span, speech: Iterable[Span]) -> list[Span]:
    """Cut a window in two at the longest silence near its middle.

    Args:
        window: What to cut.
        speech: Stretches of speech of the block.

    Returns:
        Two windows, or the one when it is shorter than 2 s.
    """
    if window.length_s < 2:
        return [window]
    low = window.start_s + 0.25 * window.length_s
    high = window.end_s - 0.25 * window.length_s
    gaps = [
        (b.start_s - a.end_s, (a.end_s + b.start_s) / 2)
        for a, b in pairwise(speech)
        if low <= (a.end_s + b.start_s) / 2 <= high
    ]
    at = max(gaps)[1] if gaps else (low + high) / 2
    return [_on_grid(Span(window.start_s, at)), _on_grid(Span(at, window.end_s))]


def missed(speech: Sequence[Span], words: Sequence[Span], min_s: float) -> list[Span]:
    """Find stretches of speech in which no word was heard.

    Args:
        speech: In order.
        words: Where words were heard, in order of start.
        min_s: Shorter holes do not count.

    Returns:
        The holes, in order.
    """
    holes: list[Span] = []
    for stretch in speech:
        at = stretch.start_s
        for word in words:
            if word.end_s <= at or word.start_s >= stretch.end_s:
                continue
            holes.append(Span(at, min(word.start_s, stretch.end_s)))
            at = max(at, word.end_s)
        holes.append(Span(at, stretch.end_s))
    return [_on_grid(h) for h in holes if h.length_s >= min_s]


def snapped(word: Span, speech: Sequence[Span], slack_s: float) -> Span:
    """Pull a word's ends out of the silence around the stretch of speech that it belongs to.

    Args:
        word: Where the model places a word.
        speech: In order.
        slack_s: How far into the silence a word may reach.

    Returns:
        The word, shorter where it began or ended in silence; as it was when it meets no speech.
    """
    met = [s for s in speech if s.start_s < word.end_s and s.end_s > word.start_s]
    if not met:
        return word
    start = max(word.start_s, met[0].start_s - slack_s)
    end = min(word.end_s, met[-1].end_s + slack_s)
    return Span(min(start, end), end)


def _islands(speech: Sequence[Span], join_gap_s: float) -> list[list[Span]]:
    islands: list[list[Span]] = []
    for stretch in speech:
        if islands and stretch.start_s - islands[-1][-1].end_s <= join_gap_s:
            islands[-1].append(stretch)
        else:
            islands.append([stretch])
    return islands


def _split(island: list[Span], window_s: float) -> list[Span]:
    """Cut an island at its longest silences, in as few windows as needed and of like length."""
    whole = Span(island[0].start_s, island[-1].end_s)
    if whole.length_s <= window_s or len(island) == 1:
        return [whole]
    share_s = whole.length_s / math.ceil(whole.length_s / window_s)
    best, cut = -math.inf, 1
    for index, (before, after) in enumerate(pairwise(island), start=1):
        if before.end_s - whole.start_s > window_s and index > 1:
            break
        early_s = abs(before.end_s - whole.start_s - share_s)
        worth = min(after.start_s - before.end_s, 0.5) - early_s / window_s
        if worth > best:
            best, cut = worth, index
    head = Span(island[0].start_s, island[cut - 1].end_s)
    return [head, *_split(island[cut:], window_s)]


def _on_grid(span: Span) -> Span:
    return Span(
        math.floor(span.start_s / GRID_S + 1e-6) * GRID_S,
        math.floor(span.end_s / GRID_S + 1e-6) * GRID_S,
    )
