"""Words to trace, trace to boxes in either mode, and no evidence of what is absent."""

import numpy as np
import pytest

from benchmarks.boxes import boxes_by_phrase
from benchmarks.narrations import narration
from medpipe.demo.score import box_iou
from medpipe.records import Phrase, Reading, Scene, Sentence, Trace, Transcript, Word
from medpipe.stages.align import AlignConfig, align, heat_map
from medpipe.stages.align.kmeans import Clusters, k_means
from medpipe.stages.align.segments import word_points


def word(start_s: float, end_s: float) -> Word:
    return Word(text="w", start_s=start_s, end_s=end_s, probability=1)


def trace(*times_s: float, x: float = 0.5, y: float = 0.5) -> Trace:
    n = len(times_s)
    return Trace.of(times_s, [x] * n, [y] * n, [0.9] * n, [1] * n)


def negating(words: int, *absent: bool) -> Reading:
    """One sentence with a phrase of one word for each flag."""
    phrases = tuple(
        Phrase(
            text="w", raw_text="w", first_word=k, end_word=k + 1, start_s=k, end_s=k + 1, negated=no
        )
        for k, no in enumerate(absent)
    )
    sentence = Sentence(
        text="w", raw_text="w", first_word=0, end_word=words, start_s=0, end_s=words,
        negated=any(absent), phrases=phrases,
    )  # fmt: skip
    return Reading(method="test", sentences=(sentence,))


def test_each_point_is_one_words_own() -> None:
    said = [word(1.0, 1.4), word(1.6, 2.0), word(2.0, 2.2)]
    path = trace(0.7, 1.1, 1.45, 1.55, 1.9, 2.1, 2.4)

    assert word_points(said, path, 0.0) == ((0, 3), (3, 5), (5, 7))


def test_the_traces_clock_may_start_later() -> None:
    said = [word(11.0, 11.4), word(11.6, 12.0)]

    assert word_points(said, trace(1.1, 1.9), 10.0) == ((0, 1), (1, 2))


def test_words_without_a_trace_have_no_points() -> None:
    assert word_points([word(0, 1), word(1, 2)], Trace.empty(), 0.0) == ((0, 0), (0, 0))


def test_narrations_carry_the_points_of_their_words() -> None:
    heard = Transcript(
        language="en", duration_s=9, speech_s=9, model="x", segments=(),
        words=tuple(word(k, k + 0.8) for k in range(4)),
    )  # fmt: skip
    t = np.arange(0, 5, 0.1)
    scene = Scene(0, 0, 9, "", 100, 100, (0, 0, 100, 100), 0, trace(*t.tolist()))

    made = align(negating(4, False), heard, [scene], AlignConfig())

    for narration_ in made.narrations:
        points = narration_.word_points
        assert len(points) == len(narration_.words)
        assert (points[0][0], points[-1][1]) == (0, len(narration_.trace))


@pytest.mark.parametrize("mode", ["dwell", "kmeans"])
def test_a_box_of_what_is_not_there_says_so(mode: str) -> None:
    heard = Transcript(
        language="en", duration_s=9, speech_s=9, model="x", segments=(),
        words=tuple(word(k, k + 0.8) for k in range(2)),
    )  # fmt: skip
    t = np.arange(0, 3, 0.07)
    angle = 6 * t
    path = Trace.of(t, 0.5 + 0.2 * np.cos(angle), 0.5 + 0.2 * np.sin(angle), 0 * t + 0.9, 0 * t)
    scene = Scene(0, 0, 9, "", 100, 100, (0, 0, 100, 100), 0, path)

    made = align(negating(2, False, True), heard, [scene], AlignConfig(boxes=mode))

    there, absent = (n for n in made.narrations if n.kind == "roi")
    assert [box.negated for box in there.boxes] == [False]
    assert [box.negated for box in absent.boxes] == [True]


def test_circled_regions_come_out_and_the_lineages_boxes_are_worse() -> None:
    ours, theirs = [], []
    for seed in range(720, 726):
        drawn = narration(seed, phrases=16)
        ways = [boxes_by_phrase(drawn, AlignConfig(boxes=m)) for m in ("dwell", "kmeans")]
        for phrase, mine, other in zip(drawn.phrases, *ways, strict=True):
            if phrase.gesture in ("circle", "small circle"):
                for scores, given in ((ours, mine), (theirs, other)):
                    box = (given[0].x0, given[0].y0, given[0].x1, given[0].y1) if given else None
                    scores.append(box_iou(phrase.regions[0], box) if box else 0.0)

    assert len(ours) >= 15
    assert np.mean(ours) > 0.6
    assert np.mean(theirs) < np.mean(ours) / 2


def test_k_means_tells_clear_groups_apart_and_is_not_left_to_chance() -> None:
    rng = np.random.default_rng(1)
    middles = np.array([[0, 0], [5, 0], [0, 5]])
    points = np.concatenate([m + rng.normal(0, 0.3, (20, 2)) for m in middles])

    labels = k_means(points, 3)

    assert [len(set(labels[k : k + 20])) for k in (0, 20, 40)] == [1, 1, 1]
    assert len(set(labels)) == 3
    assert np.array_equal(labels, k_means(points, 3))


def test_k_means_of_one_place_is_one_cluster_though_more_were_asked_for() -> None:
    assert set(k_means(np.ones((5, 3)), 4)) == {0}


def test_a_caption_without_a_trace_has_no_clusters() -> None:
    assert Clusters(Trace.empty(), [word(0, 1)], AlignConfig().kmeans).boxes(0) == ()


def test_a_cluster_that_is_a_point_is_left_out() -> None:
    path = trace(*np.arange(0, 2, 0.1).tolist())

    assert Clusters(path, [word(0, 1)], AlignConfig().kmeans).boxes(0) == ()


def test_a_heat_map_is_the_share_of_time_at_each_place() -> None:
    t = np.arange(0, 4, 0.1)
    x = np.where(t < 3, 0.125, 0.875)
    heat = heat_map(Trace.of(t, x, 0 * t + 0.7, 0 * t + 1, 0 * t), rows=5, columns=4, blur=0.1)

    assert heat.sum() == pytest.approx(1)
    assert heat[3, 0] == pytest.approx(0.75, abs=0.02)
    assert heat[3, 3] == pytest.approx(0.25, abs=0.02)


def test_unsure_points_count_less_and_no_points_give_no_heat() -> None:
    sure = Trace.of([0, 1], [0.25, 0.75], [0.5, 0.5], [1.0, 0.5], [1, 1])

    heat = heat_map(sure, rows=1, columns=2, blur=0.1)

    assert heat[0].tolist() == pytest.approx([2 / 3, 1 / 3], abs=0.01)
    assert heat_map(Trace.empty()).sum() == 0
