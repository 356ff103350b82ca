"""Cut a transcript's words into sentences."""

from collections.abc import Sequence
from typing import Final

from medpipe.records import Word
from medpipe.stages.refine.lexicon import ABBREVIATIONS

_END: Final = (".", "!", "?", "。", "！", "？")  # noqa: RUF001
_QUOTES: Final = "\"')]}\u201d\u2019"


def sentence_spans(
    words: Sequence[Word], *, pause_s: float, max_words: int
) -> list[tuple[int, int]]:
    """Find sentences by punctuation and pauses.

    Args:
        words: Of the whole transcript, suspect ones included.
        pause_s: A longer silence ends a sentence.
        max_words: A longer run is cut at its longest silence.

    Returns:
        (first, end) for each: `words[first:end]`; together they cover the words in order.
    """
    spans: list[tuple[int, int]] = []
    first = 0
    for index, word in enumerate(words):
        last = index + 1 == len(words)
        if last or _ends(word.text) or words[index + 1].start_s - word.end_s > pause_s:
            spans += _bounded(words, first, index + 1, max_words)
            first = index + 1
    return spans


def _ends(text: str) -> bool:
    bare = text.strip().rstrip(_QUOTES)
    return bare.endswith(_END) and bare.lower() not in ABBREVIATIONS


def _bounded(words: Sequence[Word], first: int, end: int, max_words: int) -> list[tuple[int, int]]:
    if end - first <= max_words:
        return [(first, end)]
    margin = max_words // 4
    places = range(first + margin, min(end - margin, first + max_words) + 1)
    cut = max(places, key=lambda i: (_weight(words, i), -i))
    return [(first, cut), *_bounded(words, cut, end, max_words)]


def _weight(words: Sequence[Word], place: int) -> float:
    """How well a sentence may be cut before `place`: silence, and a comma's worth of it."""
    comma = 0.15 if words[place - 1].text.endswith((",", ";", ":")) else 0.0
    return words[place].start_s - words[place - 1].end_s + comma
