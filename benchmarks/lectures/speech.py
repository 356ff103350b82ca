"""Words to sound: Piper in a process of its own, or silence with made-up word times."""

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 22_050


@dataclass(frozen=True)
class Spoken:
    """One line as sound.

    Attributes:
        samples: (n,) int16 at 22,050 Hz, mono.
        words: (start_s, end_s) of each word, from the line's first sample.
        aligned: Whether the times come from the synthesizer, not from a guess.
    """

    samples: NDArray[np.int16]
    words: list[tuple[float, float]]
    aligned: bool


def speak(lines: list[tuple[str, list[str]]], way: str, seed: int) -> list[Spoken]:
    """Say every line.

    Args:
        lines: Plain text and its words, per line.
        way: "piper" or "none".
        seed: Seed of the voice's own noise.

    Returns:
        One `Spoken` a line.
    """
    if way == "none":
        return [silent(words) for _, words in lines]
    if way != "piper":
        raise ValueError(f"no such speech: {way}")
    folder = Path(tempfile.gettempdir()) / "lecture-speech"
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{_key(text, seed)}.npz" for text, _ in lines]
    missing = {
        path: {"text": text, "words": words, "out": str(path), "seed": seed}
        for (text, words), path in zip(lines, paths, strict=True)
        if not path.exists()
    }
    if missing:
        worker = Path(__file__).with_name("say.py")
        job = json.dumps(list(missing.values()))
        subprocess.run([sys.executable, str(worker)], input=job, text=True, check=True)
    return [_load(path) for path in paths]


def _key(text: str, seed: int) -> str:
    worker = Path(__file__).with_name("say.py").read_bytes()
    return hashlib.sha256(worker + f"{seed}\n{text}".encode()).hexdigest()[:24]


def _load(path: Path) -> Spoken:
    with np.load(path) as kept:
        words = [(float(start), float(end)) for start, end in kept["words"]]
        return Spoken(kept["samples"], words, bool(kept["aligned"]))


def silent(words: list[str]) -> Spoken:
    """Return silence as long as the words would take at about 150 words a minute."""
    at, times = 0.05, []
    for word in words:
        length = 0.12 + 0.05 * len(word)
        times.append((at, at + length))
        at += length + 0.05
    return Spoken(np.zeros(round((at + 0.05) * RATE_HZ), np.int16), times, False)
