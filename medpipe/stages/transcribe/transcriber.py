"""Turn sound blocks into a transcript, one block at a time."""

from collections.abc import Iterable
from typing import Self

import numpy as np

from medpipe.records import AudioBlock, Segment, Transcript, Word
from medpipe.stages.transcribe.config import TranscribeConfig
from medpipe.stages.transcribe.heard import Heard, HeardWord, Recogniser, Sound, Span
from medpipe.stages.transcribe.suspects import is_doubtful, loop_words, suspicions
from medpipe.stages.transcribe.windows import halves, missed, snapped, windows_of

SLACK_S = 0.06


class Transcriber:
    """Listens with one speech model; built cheaply on the driver, opened on a worker."""

    name = "transcribe"

    def __init__(self, config: TranscribeConfig, recogniser: Recogniser | None = None) -> None:
        """Take the config; `recogniser` replaces Whisper and needs no `open`."""
        self._config = config
        self._model = recogniser
        self._bias_s = config.time_bias_s or 0.0

    def open(self) -> None:
        """Load the model.

        Raises:
            ConfigError: The model is not on this machine, or the device is not there.
            Transient: The hub could not be reached (with `allow_download` only).
        """
        if self._model is None:
            from medpipe.stages.transcribe.edge import Whisper

            model = Whisper.load(self._config)
            self._model = model
            if self._config.time_bias_s is None:
                self._bias_s = model.bias_s

    def close(self) -> None:
        """Free the model; safe at any time."""
        model, self._model = self._model, None
        if model is not None:
            model.close()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def transcribe(self, blocks: Iterable[AudioBlock]) -> Transcript:
        """Listen to a video's sound.

        Args:
            blocks: In order of time; only one is held at once.

        Returns:
            Words in order, suspect ones included and marked. Without speech: no words and the
            language `und`.
        """
        if self._model is None:
            raise RuntimeError("call open() first")
        listening = _Listening(self._model, self._config, self._bias_s)
        for block in blocks:
            listening.take(block)
        return listening.transcript()


class _Listening:
    """What is known of one video so far."""

    def __init__(self, model: Recogniser, config: TranscribeConfig, bias_s: float) -> None:
        self._model, self._config, self._bias_s = model, config, bias_s
        self._language: tuple[str, float] | None = None
        self._words: list[Word] = []
        self._segments: list[Segment] = []
        self._duration_s = self._speech_s = 0.0

    def take(self, block: AudioBlock) -> None:
        """Hear one block."""
        self._duration_s += block.duration_s
        sound: Sound = block.samples.astype(np.float32) / np.float32(32768)
        speech = self._model.speech(sound)
        if not speech:
            return
        self._speech_s += sum(s.length_s for s in speech)
        windows = windows_of(
            speech,
            window_s=self._config.window_s,
            join_gap_s=self._config.join_gap_s,
            pad_s=self._config.vad.pad_s,
            sound_s=block.duration_s,
        )
        language = self._language_of(sound, windows[0])
        for heard in self._hear(sound, windows, speech, language):
            self._keep(heard, speech, block)

    def _language_of(self, sound: Sound, window: Span) -> str:
        if self._language is None:
            asked = self._config.language
            self._language = (asked, 1.0) if asked else self._model.language(_cut(sound, window))
        return self._language[0]

    def _hear(
        self, sound: Sound, windows: list[Span], speech: list[Span], language: str
    ) -> list[Heard]:
        result: list[Heard] = []
        for heard in self._model.decode(sound, windows, language, careful=False):
            result.extend(self._retried(sound, heard, speech, language))
        return sorted(result, key=lambda h: h.span.start_s)

    def _retried(
        self, sound: Sound, heard: Heard, speech: list[Span], language: str
    ) -> list[Heard]:
        """Decode again what looks wrong: doubtful windows in halves, holes on their own.

        No sampling takes part, so the same sound always gives the same words.
        """
        if self._doubtful(heard):
            parts = halves(heard.span, speech)
            again = self._model.decode(sound, parts, language, careful=True)
            return again if _trouble(again) < _trouble([heard]) else [heard]
        inside = [
            Span(max(s.start_s, heard.span.start_s), min(s.end_s, heard.span.end_s))
            for s in speech
            if s.start_s < heard.span.end_s and s.end_s > heard.span.start_s
        ]
        holes = missed(
            inside, [Span(w.start_s, w.end_s) for w in heard.words], self._config.missed_speech_s
        )
        holes = [h for h in holes if h.length_s < 0.9 * heard.span.length_s or heard.words]
        if not holes:
            return [heard]
        extra = self._model.decode(sound, holes, language, careful=True)
        return _merged(heard, [e for e in extra if e.words and not self._doubtful(e)])

    def _doubtful(self, heard: Heard) -> bool:
        return is_doubtful(
            heard,
            max_compression=self._config.max_compression,
            min_log_probability=self._config.min_log_probability,
        )

    def _keep(self, heard: Heard, speech: list[Span], block: AudioBlock) -> None:
        reasons = suspicions(
            heard,
            speech,
            no_speech_probability=self._config.no_speech_probability,
            min_log_probability=self._config.min_log_probability,
            min_word_probability=self._config.min_word_probability,
        )
        first = len(self._words)
        for word, reason in zip(heard.words, reasons, strict=True):
            if word.text.strip():
                placed = snapped(
                    Span(word.start_s - self._bias_s, word.end_s - self._bias_s), speech, SLACK_S
                )
                self._words.append(self._word(word, placed, reason, heard.span, block))
        if len(self._words) > first:
            said = self._words[first:]
            segment = Segment(
                start_s=said[0].start_s,
                end_s=max(w.end_s for w in said),
                text=" ".join(w.text for w in said),
                first_word=first,
                end_word=len(self._words),
            )
            self._segments.append(segment)

    def _word(
        self, word: HeardWord, at: Span, reason: str | None, window: Span, block: AudioBlock
    ) -> Word:
        """The word on the video's clock, inside its window and not before the last one."""
        low, high = block.start_s + window.start_s, block.start_s + window.end_s
        if self._words:
            low = max(low, self._words[-1].start_s)
        high = max(high, low)
        start = min(max(block.start_s + at.start_s, low), high)
        end = min(max(block.start_s + at.end_s, start), high)
        return Word(
            text=word.text.strip(),
            start_s=round(start, 3),
            end_s=round(end, 3),
            probability=min(max(word.probability, 0.0), 1.0),
            suspect=reason,
        )

    def transcript(self) -> Transcript:
        """All that was heard."""
        language, sure = self._language if self._language and self._words else ("und", 1.0)
        return Transcript(
            language=language,
            language_probability=min(max(sure, 0.0), 1.0),
            duration_s=round(self._duration_s, 3),
            speech_s=round(self._speech_s, 3),
            model=self._model.name,
            words=tuple(self._words),
            segments=tuple(self._segments),
        )


def _cut(sound: Sound, span: Span) -> Sound:
    rate = AudioBlock.SAMPLE_RATE_HZ
    return sound[round(span.start_s * rate) : round(span.end_s * rate)]


def _trouble(parts: list[Heard]) -> tuple[int, float]:
    """How bad a hearing is: looping words first, then improbability."""
    loops = sum(len(loop_words([w.text for w in h.words])) for h in parts)
    spoken = [h.log_probability for h in parts if h.words]
    return loops, -sum(spoken) / len(spoken) if spoken else 99.0


def _merged(heard: Heard, extra: list[Heard]) -> list[Heard]:
    """Cut a window around the holes that were heard on their own."""
    parts: list[Heard] = []
    rest, at = list(heard.words), heard.span.start_s
    for hole in extra:
        before = [w for w in rest if w.start_s < hole.span.start_s]
        rest = rest[len(before) :]
        parts += [_part(heard, Span(at, hole.span.start_s), before), hole]
        at = hole.span.end_s
    return [p for p in [*parts, _part(heard, Span(at, heard.span.end_s), rest)] if p.words]


def _part(heard: Heard, span: Span, words: list[HeardWord]) -> Heard:
    return Heard(span, tuple(words), heard.log_probability, heard.no_speech, heard.compression)
