"""Finds texts by pictures and pictures by texts over the whole pool, ties counted as chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from medpipe.genmedclip.judging.contract import Doubles, Floats, Ints
from medpipe.genmedclip.judging.intervals import Measure, Outcome

CUTS = (1, 5, 10, 50)
# Scores closer than this are one score: float32 dot products of equal vectors differ by less.
TIE = 1e-6
_SCORES = 1 << 25  # at a time: 128 MB of float32


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which texts belong to which pictures; equal texts are one.

    Attributes:
        texts: Distinct texts, in order of first use.
        image: (m,) position of the picture of each pair.
        text: (m,) position of the text of each pair.
        images: How many pictures there are.
    """

    texts: list[str]
    image: Ints
    text: Ints
    images: int


@dataclass(frozen=True, slots=True)
class Found:
    """Where the first right answer of each query lies.

    Attributes:
        above: (q,) wrong answers with a higher score.
        tied: (q,) wrong answers with the same score as the best right ones.
        right: (q,) right answers with that score.
    """

    above: Ints
    tied: Ints
    right: Ints

    def hit(self, cut: int) -> Doubles:
        """(q,) chance that a right answer is among the first, ties in random order."""
        left = np.clip(cut - self.above, 0, self.tied + self.right)
        return 1 - _none_drawn(self.tied, self.tied + self.right, left)

    def rank(self) -> Doubles:
        """(q,) expected rank of the first right answer, ties in random order; 1 is best."""
        return self.above + (self.tied + self.right + 1) / (self.right + 1)


def pair(texts: Sequence[tuple[str, ...]]) -> Pairs:
    """Pair each picture with its texts."""
    known: dict[str, int] = {}
    pairs = [(i, known.setdefault(t, len(known))) for i, own in enumerate(texts) for t in own]
    distinct = sorted(set(pairs))
    image, text = (np.array([p[side] for p in distinct], np.int64) for side in (0, 1))
    return Pairs(list(known), image, text, len(texts))


def search(queries: Floats, pool: Floats, query: Ints, answer: Ints) -> Found:
    """Rank the whole pool for every query, some queries at a time.

    Args:
        queries: (q, d) unit vectors.
        pool: (p, d) unit vectors.
        query: (m,) query of each right pair; every query occurs.
        answer: (m,) right answer of each pair.
    """
    above, tied, right = (np.zeros(len(queries), np.int64) for _ in range(3))
    order = np.argsort(query, kind="stable")
    query, answer = query[order], answer[order]
    chunk = max(1, _SCORES // max(1, len(pool)))
    for start in range(0, len(queries), chunk):
        end = min(start + chunk, len(queries))
        scores = queries[start:end] @ pool.T
        low, high = np.searchsorted(query, [start, end])
        rows, columns = query[low:high] - start, answer[low:high]
        own = scores[rows, columns]
        best = np.full(end - start, -np.inf, np.float32)
        np.maximum.at(best, rows, own)
        over = (scores > (best + TIE)[:, None]).sum(axis=1)
        level = (scores >= (best - TIE)[:, None]).sum(axis=1) - over
        right[start:end] = np.bincount(rows, own >= best[rows] - TIE, end - start)
        above[start:end] = over
        tied[start:end] = level - right[start:end]
    return Found(above, tied, right)


def retrieve(images: Floats, texts: Floats, pairs: Pairs, groups: Ints) -> Outcome:
    """Judge both directions.

    Args:
        images: (n, d) unit vectors of all pictures.
        texts: (t, d) unit vectors of `pairs.texts`.
        pairs: Which belong together.
        groups: (n,) as in `Outcome`.
    """
    asked = np.unique(pairs.image)
    number = np.searchsorted(asked, pairs.image)
    to_text = search(images[asked], texts, number, pairs.text)
    to_image = search(texts, images, pairs.text, pairs.image)
    # A text counts as often as the first picture it belongs to.
    owner = np.full(len(pairs.texts), len(images), np.int64)
    np.minimum.at(owner, pairs.text, pairs.image)
    measures: dict[str, Measure] = {
        **_measures("image_to_text", to_text, asked),
        **_measures("text_to_image", to_image, owner),
    }
    both = measures["image_to_text_r10"], measures["text_to_image_r10"]
    measures["r10_mean"] = lambda w: (both[0](w) + both[1](w)) / 2
    return Outcome(measures, groups)


def chance_of_retrieval(pairs: Pairs) -> dict[str, float]:
    """What a random order gets."""
    chances: dict[str, float] = {}
    for way, own, pool in (
        ("image_to_text", pairs.image, len(pairs.texts)),
        ("text_to_image", pairs.text, pairs.images),
    ):
        right = np.bincount(own)[np.unique(own)]
        blind = Found(np.zeros_like(right), pool - right, right)
        chances |= {f"{way}_r{cut}": float(blind.hit(cut).mean()) for cut in CUTS}
        chances[f"{way}_median_rank"] = float(np.median(blind.rank()))
    chances["r10_mean"] = (chances["image_to_text_r10"] + chances["text_to_image_r10"]) / 2
    return chances


def _measures(way: str, found: Found, owner: Ints) -> dict[str, Measure]:
    hits: dict[str, Measure] = {f"{way}_r{cut}": _Mean(found.hit(cut), owner) for cut in CUTS}
    return {**hits, f"{way}_median_rank": _Median(found.rank(), owner)}


class _Mean:
    """Mean over queries, each weighted as its picture."""

    def __init__(self, values: Doubles, owner: Ints) -> None:
        self._values, self._owner = values, owner

    def __call__(self, weights: Doubles) -> float:
        own = weights[self._owner]
        total = own.sum()
        return float(own @ self._values / total) if total else float("nan")


class _Median:
    """Median over queries, each weighted as its picture."""

    def __init__(self, values: Doubles, owner: Ints) -> None:
        order = np.argsort(values, kind="stable")
        self._values, self._owner = values[order], owner[order]

    def __call__(self, weights: Doubles) -> float:
        running = np.cumsum(weights[self._owner])
        if not len(running) or not running[-1]:
            return float("nan")
        half = running[-1] / 2
        low = np.searchsorted(running, half, "left")
        high = np.searchsorted(running, half, "right")
        return float((self._values[low] + self._values[min(high, len(running) - 1)]) / 2)


def _none_drawn(wrong: Ints, total: Ints, drawn: Ints) -> Doubles:
    """Chance that so many draws from the total, without putting back, are all wrong."""
    possible = drawn <= wrong
    safe = np.where(possible, drawn, 0)
    log = (
        gammaln(wrong + 1)
        - gammaln(wrong - safe + 1)
        - gammaln(total + 1)
        + gammaln(total - safe + 1)
    )
    return np.where(possible, np.exp(log), 0.0)
