"""How early or late each Whisper model places its words."""

from typing import Final

WORD_BIAS_S: Final[dict[str, float]] = {"tiny.en": 0.065, "base": -0.064}


def word_bias_s(model: str) -> float:
    """Return the constant error of a model's word times.

    Args:
        model: A name such as `tiny.en`, or a path that ends in one, with or without the prefix
            `faster-whisper-`.

    Returns:
        Seconds by which the model's words come late (to subtract); 0 for a model that was never
        measured.

    Source:
        Ours: median error of word starts on synthetic speech of known times, 68 minutes for base,
        3 minutes in windows cut at silence for tiny.en (whole files decoded in order give 0.081).
    """
    name = model.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    return WORD_BIAS_S.get(name.removeprefix("faster-").removeprefix("whisper-"), 0.0)
