from itertools import pairwise

import numpy as np
import pytest

from medpipe.records import Phrase, Reading, Scene, Sentence, Trace, Transcript, Word
from medpipe.stages.align import AlignConfig, align

CONFIG = AlignConfig()


def transcript(text: str, *, start_s: float = 0.0, suspects: tuple[int, ...] = ()) -> Transcript:
    """Words of 0.4 s, one every half second."""
    words = tuple(
        Word(
            text=each,
            start_s=start_s + 0.5 * i,
            end_s=start_s + 0.5 * i + 0.4,
            probability=0.9,
            suspect="loop" if i in suspects else None,
        )
        for i, each in enumerate(text.split())
    )
    return Transcript(language="en", duration_s=99, speech_s=9, model="x", words=words, segments=())


def phrase(heard: Transcript, first: int, end: int, **flags: bool) -> Phrase:
    words = heard.words[first:end]
    text = " ".join(w.text for w in words)
    return Phrase(
        text=text,
        raw_text=text,
        first_word=first,
        end_word=end,
        start_s=words[0].start_s,
        end_s=words[-1].end_s,
        **flags,
    )


def reading(heard: Transcript, *phrases: Phrase, negated: bool = False) -> Reading:
    """All words as one sentence."""
    text = " ".join(w.text for w in heard.words)
    sentence = Sentence(
        text=text.capitalize(),
        raw_text=text,
        first_word=0,
        end_word=len(heard.words),
        start_s=heard.words[0].start_s,
        end_s=heard.words[-1].end_s,
        negated=negated,
        phrases=phrases,
    )
    return Reading(method="test", sentences=(sentence,))


def scene(
    index: int, start_s: float, end_s: float, at: tuple[float, float] | None = (0.5, 0.5)
) -> Scene:
    """A scene whose pointer rests at one place."""
    t = np.arange(0, end_s - start_s, 1 / 15)
    trace = Trace.empty()
    if at is not None:
        ones = np.ones(len(t))
        trace = Trace.of(t, at[0] * ones, at[1] * ones, 0.9 * ones, ones)
    return Scene(index, start_s, end_s, "", 200, 100, (0, 0, 200, 100), 0, trace)


def test_a_sentence_and_its_phrase_become_two_narrations_of_their_scene() -> None:
    heard = transcript("here is a lens", start_s=10)
    read = reading(heard, phrase(heard, 3, 4, deictic=True))

    made = align(read, heard, [scene(0, 0, 8, None), scene(1, 8, 20, (0.25, 0.5))], CONFIG)

    medical, roi = made.narrations
    assert (medical.kind, medical.scene, medical.text) == ("medical", 1, "Here is a lens")
    assert (medical.boxes, medical.words, medical.deictic) == ((), heard.words, True)
    assert (roi.kind, roi.scene, roi.text, roi.words) == ("roi", 1, "lens", heard.words[3:])
    assert (roi.start_s, roi.end_s, roi.deictic, roi.negated) == (11.5, 11.9, True, False)
    assert roi.boxes[0].x0 < 0.25 < roi.boxes[0].x1
    assert made.shift_s is None


def test_the_trace_is_that_of_the_words_with_lead_and_lag_on_the_scenes_clock() -> None:
    heard = transcript("a lens", start_s=10)

    made = align(reading(heard), heard, [scene(0, 8, 20)], CONFIG)

    t = made.narrations[0].trace.t_s
    assert t[0] == pytest.approx(2 - CONFIG.lead_s, abs=0.07)
    assert t[-1] == pytest.approx(2.9 + CONFIG.lag_s, abs=0.07)


def test_a_phrase_without_a_seen_pointer_keeps_its_text() -> None:
    heard = transcript("a lens")

    made = align(reading(heard, phrase(heard, 1, 2)), heard, [scene(0, 0, 9, None)], CONFIG)

    roi = made.narrations[1]
    assert (roi.text, roi.boxes, len(roi.trace)) == ("lens", (), 0)


def test_a_sentence_over_a_change_of_scene_is_split_at_its_words() -> None:
    heard = transcript("this is the lens and that is the iris.")
    read = reading(heard, phrase(heard, 3, 4), phrase(heard, 8, 9))

    made = align(read, heard, [scene(0, 0, 2.0), scene(1, 2.0, 9)], CONFIG)

    assert [(n.scene, n.kind, n.text) for n in made.narrations] == [
        (0, "medical", "this is the lens"),
        (0, "roi", "lens"),
        (1, "medical", "and that is the iris."),
        (1, "roi", "iris."),
    ]


def test_a_scene_that_holds_too_little_of_a_sentence_gets_no_part_of_it() -> None:
    heard = transcript("now this is the lens of the eye")

    made = align(reading(heard), heard, [scene(0, 0, 0.5), scene(1, 0.5, 9)], CONFIG)

    (only,) = made.narrations
    assert (only.scene, only.words, only.text) == (
        1,
        heard.words,
        "Now this is the lens of the eye",
    )


def test_words_in_the_gap_between_scenes_go_to_the_nearest() -> None:
    heard = transcript("a clear lens", start_s=5)

    made = align(reading(heard), heard, [scene(0, 0, 4), scene(1, 7, 9)], CONFIG)

    assert [n.scene for n in made.narrations] == [1]


def test_a_sentence_far_from_every_scene_is_a_drop() -> None:
    heard = transcript("a clear lens", start_s=50)

    made = align(reading(heard, phrase(heard, 2, 3)), heard, [scene(0, 0, 4)], CONFIG)

    assert made.narrations == ()
    (drop,) = made.drops
    assert (drop.stage, drop.code, drop.start_s) == ("align", "no_scene", 50)


def test_without_scenes_all_is_dropped() -> None:
    heard = transcript("a clear lens")

    assert [d.code for d in align(reading(heard), heard, [], CONFIG).drops] == ["no_scene"]


def test_suspect_words_reach_no_narration() -> None:
    heard = transcript("a clear banana lens", suspects=(2,))

    made = align(reading(heard, phrase(heard, 1, 4)), heard, [scene(0, 0, 9)], CONFIG)

    assert all("banana" not in [w.text for w in n.words] for n in made.narrations)


def test_negation_stays_with_the_part_that_negates() -> None:
    heard = transcript("here is the lens and there is no blood")
    there, absent = phrase(heard, 3, 4), phrase(heard, 8, 9, negated=True)
    read = reading(heard, there, absent, negated=True)

    made = align(read, heard, [scene(0, 0, 2.0), scene(1, 2.0, 9)], CONFIG)

    assert [n.negated for n in made.narrations] == [False, False, True, True]


def test_doubt_stays_with_the_part_that_doubts() -> None:
    heard = transcript("here is the lens and there may be blood")
    there, doubted = phrase(heard, 3, 4), phrase(heard, 7, 8, hedged=True)
    read = reading(heard, there, doubted)

    made = align(read, heard, [scene(0, 0, 2.0), scene(1, 2.0, 9)], CONFIG)

    assert [n.hedged for n in made.narrations] == [False, False, True, True]


def test_narrations_come_in_order_of_scene_and_time() -> None:
    heard = transcript("this is the lens and that is the iris and here is the cup")
    read = reading(heard, *(phrase(heard, k, k + 1) for k in (3, 8, 13)))

    made = align(read, heard, [scene(4, 0, 2.0), scene(5, 2.0, 9)], CONFIG)

    keys = [(n.scene, n.start_s) for n in made.narrations]
    assert all(a <= b for a, b in pairwise(keys))


def test_a_shift_is_not_guessed_from_a_few_phrases() -> None:
    heard = transcript("a lens", start_s=3)
    read = reading(heard, phrase(heard, 1, 2))

    assert align(read, heard, [scene(0, 0, 3.2)], CONFIG).shift_s is None
