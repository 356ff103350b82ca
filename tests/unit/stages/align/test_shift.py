"""One shift of word times for a video: found where the pointer tells, left alone where not."""

import numpy as np
import pytest

from benchmarks.narrations import HABITS, Narration, narration
from medpipe.records import Phrase, Scene, Trace
from medpipe.stages.align import AlignConfig
from medpipe.stages.align.shift import estimated_shift

CONFIG = AlignConfig()
SEEDS = range(700, 721)
ENOUGH = 32


def phrases(drawn: Narration) -> list[Phrase]:
    return [
        Phrase(
            text="spot",
            raw_text="spot",
            first_word=p.first_word,
            end_word=p.end_word,
            start_s=drawn.words[p.first_word][1],
            end_s=max(end for _, _, end in drawn.words[p.first_word : p.end_word]),
        )
        for p in drawn.phrases
    ]


def scene(t: "np.ndarray[tuple[int, int], np.dtype[np.float64]]", start_s: float = 0.0) -> Scene:
    ones = np.ones(len(t))
    trace = Trace.of(t[:, 0] - start_s, t[:, 1], t[:, 2], 0.9 * ones, ones)
    return Scene(0, start_s, float(t[-1, 0]), "", 100, 75, (0, 0, 100, 75), 0, trace)


def shift_of(drawn: Narration) -> float | None:
    return estimated_shift(phrases(drawn), [scene(drawn.trace)], CONFIG)


@pytest.mark.parametrize("late_s", [0.7, -0.5])
def test_an_injected_shift_is_found_also_in_noisy_narrations_or_none_is_claimed(
    late_s: float,
) -> None:
    """The errors of the word times are drawn anew, so nothing but the shift is the same."""
    drawn = [narration(seed, phrases=ENOUGH) for seed in SEEDS]
    moved = [narration(seed, phrases=ENOUGH, shift_s=late_s) for seed in SEEDS]

    found = [(shift_of(plain), shift_of(late)) for plain, late in zip(drawn, moved, strict=True)]
    errors = [after - before + late_s for before, after in found if None not in (before, after)]

    assert sum(n.noise_s > 0.15 for n in drawn) >= 5
    assert {n.habit for n in drawn} == set(HABITS)
    assert len(errors) >= 0.7 * len(SEEDS)
    assert max(map(abs, errors)) <= 0.15 + 1e-6


def test_words_are_moved_to_where_the_pointer_usually_arrives() -> None:
    shifts = {}
    for habit in HABITS:
        found = [shift_of(narration(s, phrases=ENOUGH, habit=habit)) for s in range(5)]
        shifts[habit] = np.median([shift for shift in found if shift is not None])

    assert -0.6 < shifts["before"] < -0.2 < shifts["during"] < 0.1 < shifts["after"] < 0.6


def test_the_pointer_of_another_lecture_tells_nothing() -> None:
    claims = 0
    for seed in SEEDS:
        words, other = narration(seed, phrases=ENOUGH), narration(seed + 9_000, phrases=ENOUGH)
        words.trace = other.trace
        claims += shift_of(words) is not None

    assert claims <= 1


def test_a_pointer_that_rests_tells_nothing() -> None:
    drawn = narration(3, phrases=ENOUGH)
    drawn.trace[:, 1:] = 0.5

    assert shift_of(drawn) is None


def test_a_few_phrases_tell_nothing() -> None:
    drawn = narration(3, phrases=ENOUGH)

    assert estimated_shift(phrases(drawn)[:7], [scene(drawn.trace)], CONFIG) is None
    assert estimated_shift(phrases(drawn), [], CONFIG) is None


def test_a_shift_beyond_what_is_looked_for_is_not_guessed() -> None:
    found = [shift_of(narration(s, phrases=ENOUGH, shift_s=6.0)) for s in SEEDS]

    assert sum(shift is not None for shift in found) <= 1


def test_scenes_may_begin_anywhere() -> None:
    drawn = narration(701, phrases=ENOUGH)
    half = len(drawn.trace) // 2
    parts = [drawn.trace[:half], drawn.trace[half:]]

    found = estimated_shift(
        phrases(drawn), [scene(part, float(part[0, 0]) - 0.1) for part in parts], CONFIG
    )

    assert found == pytest.approx(shift_of(drawn), abs=0.11)
