"""Boxes as the lineage draws them: clusters of a caption's trace; kept to compare with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from medpipe.records import ScoredBox, Trace, Word
from medpipe.stages.align.config import KMeansConfig

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

_WORDS_OF_CLUSTERS = (10, 40, 60)
_FEW_WORDS = 3
_ROUNDS = 100


class Clusters:
    """The clusters of one caption, and which of its words belongs to which.

    Args:
        trace: What the pointer did during the caption.
        words: Of the caption, on the trace's clock.
        config: Decay, outliers and areas.

    Source:
        quilt-instruct/utils/cluster_singlerow.py of Quilt-LLaVA (read November 2026). A place is
        (x w, y w) with w = exp(-decay t), beside the share of words said so far; up to four
        clusters by the number of words. A word goes to the cluster whose mean time is nearest to
        the word's end; clusters with three words or fewer join a neighbour. Time counts from the
        caption's start here, and k-means starts from points far apart instead of by chance.
    """

    def __init__(self, trace: Trace, words: Sequence[Word], config: KMeansConfig) -> None:
        self._ends = np.array([word.end_s for word in words])
        self._boxes: dict[int, tuple[float, float, float, float]] = {}
        self._points: dict[int, int] = {}
        self._of_word: list[int] = []
        if len(trace) < 2 or not words:
            return
        t = trace.t_s.astype(np.float64) - float(trace.t_s[0])
        x, y = trace.x.astype(np.float64), trace.y.astype(np.float64)
        weight = np.exp(-config.decay_per_s * t)
        spoken = np.searchsorted(np.sort(self._ends), trace.t_s, side="right").astype(np.float64)
        features = np.stack([x * weight, y * weight, spoken / max(spoken.max(), 1)], axis=1)
        labels = k_means(features, 1 + int(np.searchsorted(_WORDS_OF_CLUSTERS, len(words))))
        for cluster in np.unique(labels).tolist():
            mine = np.flatnonzero(labels == cluster)
            mine = mine[_usual(x[mine], config.outlier_iqr)]
            mine = mine[_usual(y[mine], config.outlier_iqr)]
            box = (
                float(x[mine].min()),
                float(y[mine].min()),
                float(x[mine].max()),
                float(y[mine].max()),
            )
            if config.min_area <= (box[2] - box[0]) * (box[3] - box[1]) <= config.max_area:
                self._boxes[cluster], self._points[cluster] = box, len(mine)
        means = {c: float(trace.t_s[labels == c].mean()) for c in self._boxes}
        if means:
            self._of_word = _merged(
                [min(means, key=lambda c: abs(means[c] - e)) for e in self._ends]
            )

    def boxes(self, word: int) -> tuple[ScoredBox, ...]:
        """The one box of the phrase that ends with a word of the caption, or none."""
        if not self._of_word:
            return ()
        cluster = self._of_word[word]
        x0, y0, x1, y1 = self._boxes[cluster]
        points = self._points[cluster]
        return (ScoredBox(x0=x0, y0=y0, x1=x1, y1=y1, score=1, n_points=points, method="kmeans"),)


def k_means(points: Floats, k: int) -> Labels:
    """Lloyd's algorithm from the mean's farthest point, then the farthest from those chosen.

    Args:
        points: (n, d) with n >= 1.
        k: Clusters; fewer where there are fewer places.

    Returns:
        (n,) the cluster of each point.
    """
    centres = [points[np.argmax(((points - points.mean(axis=0)) ** 2).sum(axis=1))]]
    while len(centres) < k:
        away = ((points[:, None] - np.array(centres)[None]) ** 2).sum(axis=2).min(axis=1)
        centres.append(points[np.argmax(away)])
    middle = np.array(centres)
    labels = np.zeros(len(points), np.int64)
    for _ in range(_ROUNDS):
        labels = np.argmin(((points[:, None] - middle[None]) ** 2).sum(axis=2), axis=1)
        moved = np.array(
            [
                points[labels == c].mean(axis=0) if (labels == c).any() else middle[c]
                for c in range(k)
            ]
        )
        if np.allclose(moved, middle):
            break
        middle = moved
    return labels


def _usual(values: Floats, iqr: float) -> NDArray[np.bool_]:
    low, high = np.quantile(values, (0.25, 0.75))
    reach = iqr * (high - low)
    return np.asarray((values >= low - reach) & (values <= high + reach))


def _merged(clusters: list[int]) -> list[int]:
    """Let clusters of few words join the neighbour (in order of first use) with more words."""
    while True:
        order = list(dict.fromkeys(clusters))
        few = [c for c in order if clusters.count(c) <= _FEW_WORDS]
        if len(order) == 1 or not few:
            return clusters
        small = min(few, key=clusters.count)
        place = order.index(small)
        beside = [order[p] for p in (place - 1, place + 1) if 0 <= p < len(order)]
        into = max(beside, key=clusters.count)
        clusters = [into if c == small else c for c in clusters]
