"""Which part of a narration's trace belongs to which of its words."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from medpipe.records import Trace, Word


def word_points(words: Sequence[Word], trace: Trace, start_s: float) -> tuple[tuple[int, int], ...]:
    """Cut a narration's trace at its words.

    Args:
        words: Of the narration, in order, at least one.
        trace: Of the narration.
        start_s: Time of the words' clock at which the trace's clock is zero.

    Returns:
        (first, end) of each word's points: those said during it, before the first word, after the
        last, and up to the middle of the pauses beside it. Every point belongs to one word.
    """
    cuts_s = [(a.end_s + b.start_s) / 2 - start_s for a, b in pairwise(words)]
    places = np.searchsorted(trace.t_s, np.maximum.accumulate(cuts_s) if cuts_s else cuts_s)
    edges = [0, *places.tolist(), len(trace)]
    return tuple(pairwise(edges))
