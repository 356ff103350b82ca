import pytest

from medpipe.stages.transcribe.bias import word_bias_s
from medpipe.stages.transcribe.heard import Heard, HeardWord, Span
from medpipe.stages.transcribe.suspects import is_doubtful, loop_words, suspicions


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("very very very bright", 0),
        ("no no no no more", 3),
        ("thank you. Thank you. Thank you, thank you", 6),
        ("the cell wall the cell wall is thick", 0),
        ("the cell wall the cell wall the cell wall is thick", 6),
        ("left right left right up down", 0),
        ("", 0),
    ],
)
def test_only_real_repetition_is_a_loop(text: str, looping: int) -> None:
    assert len(loop_words(text.split())) == looping


def test_the_first_saying_is_not_part_of_the_loop() -> None:
    text = "so the red cell the red cell the red cell"

    assert loop_words(text.split()) == {4, 5, 6, 7, 8, 9}


def heard(log: float = -0.2, no_speech: float = 0.0, probability: float = 0.9) -> Heard:
    return Heard(Span(0, 9), (HeardWord("lens", 1, 2, probability),), log, no_speech, 1.0)


def reasons(hearing: Heard, speech: list[Span]) -> list[str | None]:
    return suspicions(
        hearing,
        speech,
        no_speech_probability=0.6,
        min_log_probability=-1.0,
        min_word_probability=0.02,
    )


def test_a_plain_word_is_not_suspect() -> None:
    assert reasons(heard(), [Span(0, 3)]) == [None]


def test_a_word_far_from_any_speech_is_suspect() -> None:
    assert reasons(heard(), [Span(4, 6)]) == ["outside_vad"]


def test_a_word_that_is_a_mere_guess_is_suspect() -> None:
    assert reasons(heard(probability=0.01), [Span(0, 3)]) == ["low_probability"]


def test_no_speech_needs_both_signs() -> None:
    assert reasons(heard(no_speech=0.9), [Span(0, 3)]) == [None]
    assert reasons(heard(no_speech=0.9, log=-1.2), [Span(0, 3)]) == ["no_speech"]


def test_an_empty_hearing_is_not_doubtful() -> None:
    empty = Heard(Span(0, 9), (), -99, 1, 0)

    assert not is_doubtful(empty, max_compression=2.4, min_log_probability=-1)


@pytest.mark.parametrize(
    ("name", "bias"),
    [
        ("tiny.en", True),
        ("/models/faster-whisper-base/", True),
        ("whisper-base", True),
        ("large-v3", False),
    ],
)
def test_only_measured_models_have_a_bias(name: str, bias: bool) -> None:
    assert (word_bias_s(name) != 0) is bias
