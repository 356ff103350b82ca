"""How doubtful hearings are handled, with a model that says what the test wants."""

from collections.abc import Sequence

import numpy as np

from medpipe.records import AudioBlock
from medpipe.stages.transcribe import TranscribeConfig, Transcriber
from medpipe.stages.transcribe.heard import Heard, HeardWord, Sound, Span


def said(
    window: Span, text: str, log: float = -0.3, no_speech: float = 0.01, zipped: float = 1.2
) -> Heard:
    """Spread the words of a text evenly over a window."""
    texts = text.split()
    step = window.length_s / max(len(texts), 1)
    words = tuple(
        HeardWord(" " + t, window.start_s + i * step, window.start_s + (i + 1) * step, 0.9)
        for i, t in enumerate(texts)
    )
    return Heard(window, words, log, no_speech, zipped)


class Scripted:
    """A recogniser that plays back what it was told, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, speech: list[Span], *hearings: list[Heard]) -> None:
        self._speech, self._hearings = speech, list(hearings)
        self.asked: list[tuple[list[Span], str, bool]] = []
        self.languages = 0

    def speech(self, sound: Sound) -> list[Span]:
        return self._speech

    def language(self, sound: Sound) -> tuple[str, float]:
        self.languages += 1
        return "fr", 0.8

    def decode(
        self, sound: Sound, windows: Sequence[Span], language: str, *, careful: bool
    ) -> list[Heard]:
        self.asked.append((list(windows), language, careful))
        return self._hearings.pop(0)

    def close(self) -> None:
        pass


BLOCK = AudioBlock(np.zeros(20 * 16_000, np.int16), 10.0)
WHOLE = Span(2.0, 12.0)
PLAIN = TranscribeConfig(time_bias_s=0.0)


def test_the_language_is_decided_once_and_kept() -> None:
    model = Scripted([WHOLE], [said(WHOLE, "un deux")], [said(WHOLE, "trois")])

    heard = Transcriber(PLAIN, model).transcribe([BLOCK, AudioBlock(BLOCK.samples, 30.0)])

    assert model.languages == 1
    assert [language for _, language, _ in model.asked] == ["fr", "fr"]
    assert (heard.language, heard.language_probability) == ("fr", 0.8)


def test_a_loop_is_decoded_again_in_halves_and_the_better_hearing_wins() -> None:
    loop = said(WHOLE, "the cell wall " * 8, zipped=3.0)
    halves = [said(Span(2, 7), "the cell"), said(Span(7, 12), "wall here")]
    model = Scripted([WHOLE], [loop], halves)

    heard = Transcriber(PLAIN, model).transcribe([BLOCK])

    assert model.asked[1][2] is True
    assert [w.text for w in heard.words] == ["the", "cell", "wall", "here"]


def test_a_loop_that_stays_is_kept_and_marked() -> None:
    loop = said(WHOLE, "the cell wall " * 8, zipped=3.0)
    model = Scripted([WHOLE], [loop], [loop])

    heard = Transcriber(PLAIN, model).transcribe([BLOCK])

    assert len(heard.words) == 24
    assert [w.suspect for w in heard.words] == [None] * 3 + ["loop"] * 21


def test_speech_without_words_is_decoded_on_its_own() -> None:
    first = said(Span(2, 5), "one two three")
    hearing = Heard(WHOLE, first.words, -0.3, 0.01, 1.2)
    model = Scripted([WHOLE], [hearing], [said(Span(5, 12), "four five")])

    heard = Transcriber(PLAIN, model).transcribe([BLOCK])

    assert model.asked[1][0] == [Span(5, 12)]
    assert [w.text for w in heard.words] == ["one", "two", "three", "four", "five"]
    assert heard.words[3].start_s == 15


def test_an_improbable_window_that_the_model_takes_for_no_speech_is_marked() -> None:
    doubtful = said(WHOLE, "thank you", log=-1.5, no_speech=0.9)
    model = Scripted([WHOLE], [doubtful], [doubtful])

    heard = Transcriber(PLAIN, model).transcribe([BLOCK])

    assert [w.suspect for w in heard.words] == ["no_speech", "no_speech"]


def test_the_bias_is_taken_off_and_words_stay_inside_their_window() -> None:
    model = Scripted([WHOLE], [said(WHOLE, "one two")])

    heard = Transcriber(TranscribeConfig(time_bias_s=0.25), model).transcribe([BLOCK])

    first, second = heard.words
    assert first.start_s == 12
    assert (first.end_s, second.start_s, second.end_s) == (16.75, 16.75, 21.75)
