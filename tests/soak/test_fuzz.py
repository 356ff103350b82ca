"""Broken videos end as a video or as a reason, in time and within their memory, and never worse."""

import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.fuzzed import MEMORY_BYTES, End, ends_of
from tests.support.mutants import mutant, originals

FULL = os.environ.get("MEDPIPE_SOAK") == "full"
FEW, MANY = 100, 2000
# FLV files in which a stream appears on the way, or that cannot be read on from their first packet.
ONCE_WORSE = (10_006, 10_518, 11_622, 11_998)


def fuzz(folder: Path, count: int, first: int) -> None:
    whole = originals(folder)
    (folder / "mutants").mkdir()
    made = {}
    for seed in range(first, first + count):
        source = whole[seed % len(whole)]
        path = folder / "mutants" / f"{seed}-{source.name}"
        made[path] = mutant(source, path, seed)
    ends = dict(zip(made, ends_of(made), strict=True))

    counts = Counter(end.how for end in ends.values())
    codes = Counter(end.detail for end in ends.values() if end.how == "rejected")
    peak_mib = max(end.peak_bytes for end in ends.values()) >> 20
    sys.stdout.write(f"{dict(counts)}, reasons {dict(codes)}, peak {peak_mib} MiB\n")
    worse = {
        f"{path.name} ({made[path]})": (end.how, end.detail[-600:])
        for path, end in ends.items()
        if end.how not in {"video", "rejected"} or not is_told(end)
    }
    assert not worse, worse
    assert max(end.peak_bytes for end in ends.values()) < MEMORY_BYTES
    assert counts["video"]
    assert counts["rejected"]


def is_told(end: End) -> bool:
    """Whether a rejected file has a reason and a video has frames."""
    return bool(end.frames) if end.how == "video" else bool(end.detail)


@pytest.mark.timeout(600)
def test_a_hundred_broken_videos_end_as_video_or_with_a_reason(tmp_path: Path) -> None:
    fuzz(tmp_path, FEW, first=0)


@pytest.mark.soak
@pytest.mark.timeout(4 * 3600)
def test_two_thousand_broken_videos_end_as_video_or_with_a_reason(tmp_path: Path) -> None:
    fuzz(tmp_path, MANY if FULL else 4 * FEW, first=10_000)


def test_files_that_once_ended_worse_do_not_again(tmp_path: Path) -> None:
    whole = originals(tmp_path)
    paths = [tmp_path / f"{seed}-once.video" for seed in ONCE_WORSE]
    for seed, path in zip(ONCE_WORSE, paths, strict=True):
        mutant(whole[seed % len(whole)], path, seed)

    ends = list(ends_of(paths))

    assert all(end.how in {"video", "rejected"} and is_told(end) for end in ends), ends


def test_whole_videos_of_every_form_keep_all_their_frames(tmp_path: Path) -> None:
    whole = originals(tmp_path)

    ends = list(ends_of(whole))

    assert [(end.how, end.frames) for end in ends] == [("video", 30)] * len(whole)
