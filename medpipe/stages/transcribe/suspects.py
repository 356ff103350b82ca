"""Mark what a speech model may have made up: loops, words without speech, near-guesses."""

from collections.abc import Sequence

from medpipe.stages.transcribe.heard import Heard, HeardWord, Span

LONGEST_LOOP = 12
OUTSIDE_VAD_S = 0.3
_PUNCTUATION = ".,;:!?\"'()-"


def loop_words(texts: Sequence[str]) -> set[int]:
    """Find words that only repeat what was just said.

    Args:
        texts: Words in order, as heard.

    Returns:
        Indices of the words after the first of a run of at least 3 equal phrases of 3 to 12
        words, or of at least 4 equal phrases of 1 or 2 words. People do say "very very very".
    """
    plain = [t.lower().strip(_PUNCTUATION) for t in texts]
    found: set[int] = set()
    for size in range(1, min(LONGEST_LOOP, len(plain) // 3) + 1):
        least = 3 if size > 2 else 4
        same = 0
        for index in range(size, len(plain) + 1):
            if index < len(plain) and plain[index] == plain[index - size]:
                same += 1
                continue
            if same >= (least - 1) * size:
                found.update(range(index - same, index))
            same = 0
    return found


def is_doubtful(heard: Heard, *, max_compression: float, min_log_probability: float) -> bool:
    """Tell whether a window should be decoded again with more care."""
    return bool(
        heard.compression > max_compression
        or (heard.words and heard.log_probability < min_log_probability)
        or loop_words([w.text for w in heard.words])
    )


def outside(word: HeardWord, speech: Sequence[Span]) -> bool:
    """Tell whether a word lies where the voice detector heard nobody, by more than 0.3 s."""
    return not any(
        word.start_s <= s.end_s + OUTSIDE_VAD_S and word.end_s >= s.start_s - OUTSIDE_VAD_S
        for s in speech
    )


def suspicions(
    heard: Heard,
    speech: Sequence[Span],
    *,
    no_speech_probability: float,
    min_log_probability: float,
    min_word_probability: float,
) -> list[str | None]:
    """Judge every word of a window.

    Args:
        heard: The window's words.
        speech: Stretches of speech of the block, same clock.
        no_speech_probability: The model's own, above which a window that is also improbable is
            taken for no speech.
        min_log_probability: Below it a window is improbable.
        min_word_probability: Below it a word is a guess.

    Returns:
        One reason (`no_speech`, `loop`, `outside_vad`, `low_probability`) or None for each word.
    """
    improbable = heard.log_probability < min_log_probability
    if improbable and heard.no_speech > no_speech_probability:
        return ["no_speech"] * len(heard.words)
    loops = loop_words([w.text for w in heard.words])
    reasons: list[str | None] = []
    for index, word in enumerate(heard.words):
        if index in loops:
            reasons.append("loop")
        elif outside(word, speech):
            reasons.append("outside_vad")
        elif word.probability < min_word_probability:
            reasons.append("low_probability")
        else:
            reasons.append(None)
    return reasons
