import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.records import AudioBlock
from medpipe.stages.transcribe import TranscribeConfig, Transcriber

RATE = AudioBlock.SAMPLE_RATE_HZ


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * RATE), np.int16)


def test_words_come_with_the_times_at_which_they_were_said(
    tiny: Transcriber, speech: NDArray[np.int16]
) -> None:
    block = AudioBlock(np.concatenate([silence(3), speech, silence(2)]), start_s=100.0)
    loud = np.flatnonzero(np.abs(speech) > 600) / RATE

    heard = tiny.transcribe([block])

    text = " ".join(w.text.lower().strip(".,") for w in heard.words)
    assert all(word in text for word in ("round lesion", "right lung", "heart", "fracture"))
    assert heard.language == "en"
    assert heard.words[0].start_s == pytest.approx(103 + loud[0], abs=0.15)
    assert heard.words[-1].end_s == pytest.approx(103 + loud[-1], abs=0.3)
    assert all(a.start_s <= b.start_s for a, b in zip(heard.words, heard.words[1:], strict=False))
    assert all(w.start_s <= w.end_s and w.suspect is None for w in heard.words)
    assert "tiny.en" in heard.model


def test_the_same_sound_gives_the_same_transcript(
    tiny: Transcriber, speech: NDArray[np.int16]
) -> None:
    noise = np.random.default_rng(0).normal(0, 900, len(speech))
    block = AudioBlock(np.clip(speech + noise, -32768, 32767).astype(np.int16), 0.0)

    first = tiny.transcribe([block])
    tiny.transcribe([AudioBlock(speech[::-1].copy(), 0.0)])

    assert tiny.transcribe([block]) == first


def test_a_later_block_goes_on_where_the_first_ended(
    tiny: Transcriber, speech: NDArray[np.int16]
) -> None:
    blocks = [AudioBlock(speech, 0.0), AudioBlock(speech, 500.0)]

    heard = tiny.transcribe(iter(blocks))

    half = len(heard.words) // 2
    assert heard.words[half - 1].end_s < 20
    assert heard.words[half].start_s >= 500
    assert [w.text for w in heard.words[:half]] == [w.text for w in heard.words[half:]]
    assert heard.duration_s == pytest.approx(2 * len(speech) / RATE, abs=0.01)
    assert [(s.first_word, s.end_word) for s in heard.segments][-1][1] == len(heard.words)


def test_silence_and_noise_give_no_words(tiny: Transcriber) -> None:
    noise = np.random.default_rng(0).normal(0, 500, 10 * RATE).astype(np.int16)
    hum = (4000 * np.sin(np.arange(10 * RATE) * 2 * np.pi * 50 / RATE)).astype(np.int16)

    heard = tiny.transcribe([AudioBlock(np.concatenate([silence(5), noise, hum]), 0.0)])

    assert heard.words == ()
    assert heard.language == "und"
    assert heard.duration_s == 25


def test_no_blocks_give_an_empty_transcript(tiny: Transcriber) -> None:
    heard = tiny.transcribe([])

    assert (heard.words, heard.language, heard.duration_s) == ((), "und", 0)


def test_another_language_than_english_is_heard_with_an_english_model(
    speech: NDArray[np.int16],
) -> None:
    with Transcriber(TranscribeConfig(device="cpu", language="de")) as transcriber:
        heard = transcriber.transcribe([AudioBlock(speech, 0.0)])

    assert heard.words


def test_transcribing_before_open_is_a_bug() -> None:
    with pytest.raises(RuntimeError, match="open"):
        Transcriber(TranscribeConfig()).transcribe([])


def test_the_room_can_be_imported_without_the_model_library() -> None:
    code = "import sys, medpipe.stages.transcribe; print('faster_whisper' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
