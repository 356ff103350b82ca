"""Leaks are found: the same bytes, nearly the same picture, and its mirror image."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.genmedclip.judging.leaks import RADIUS_BITS, HashIndex, Leak, TrainingSet
from medpipe.genmedclip.judging.pictures import hashes

Bits = st.integers(0, 2**64 - 1)


def texture(seed: int) -> np.ndarray:
    """A smooth picture of its own, 200 x 240."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (8, 9, 3)).astype(np.uint8)
    return cv2.resize(coarse, (240, 200), interpolation=cv2.INTER_CUBIC)


def training(*images: np.ndarray) -> TrainingSet:
    names = [f"sample {i}" for i in range(len(images))]
    return TrainingSet(names, names, [f"{hashes(image)[0]:016x}" for image in images])


def seen(images: TrainingSet, image: np.ndarray) -> Leak | None:
    plain, mirrored = hashes(image)
    return images.seen("test picture", "another hash", plain, mirrored)


@given(stored=st.lists(Bits, min_size=1, max_size=60), wanted=Bits)
def test_the_index_finds_what_a_full_scan_finds(stored: list[int], wanted: int) -> None:
    stored = [*stored, *(s ^ (1 << (s % 64)) for s in stored)]
    nearest = min((s ^ wanted).bit_count() for s in stored)

    found = HashIndex(np.array(stored, np.uint64)).nearest(wanted)

    assert (found is not None) == (nearest <= RADIUS_BITS)
    if found is not None:
        assert found[1] == nearest == (stored[found[0]] ^ wanted).bit_count()


@given(value=Bits, flips=st.sets(st.integers(0, 63), min_size=0, max_size=9))
def test_six_bits_apart_is_near_and_seven_is_not(value: int, flips: set[int]) -> None:
    other = value
    for bit in flips:
        other ^= 1 << bit

    found = HashIndex(np.array([value], np.uint64)).nearest(other)

    assert found == ((0, len(flips)) if len(flips) <= RADIUS_BITS else None)


@pytest.mark.parametrize("spared", range(4))
def test_bits_spread_evenly_over_the_bands_hide_nothing(spared: int) -> None:
    # Two bits off in each of three bands: only the fourth can tell.
    value = 0x0123_4567_89AB_CDEF
    other = value
    for band in {0, 1, 2, 3} - {spared}:
        other ^= 0b11 << (16 * band)

    assert HashIndex(np.array([value], np.uint64)).nearest(other) == (0, 6)


def test_the_same_bytes_leak_whatever_their_perceptual_hash() -> None:
    known = TrainingSet(["a", "b"], ["11", "22"], [None, "00000000000000ff"])

    leak = known.seen("x", "11", 0xFFFF000000000000, 0xFFFF000000000000)

    assert leak is not None
    assert (leak.sample, leak.kind) == ("a", "exact")


@pytest.mark.parametrize(
    "changed",
    [
        lambda image: cv2.imdecode(cv2.imencode(".jpg", image, [1, 40])[1], cv2.IMREAD_COLOR),
        lambda image: cv2.resize(image, (97, 81), interpolation=cv2.INTER_AREA),
        lambda image: cv2.convertScaleAbs(image, alpha=0.8, beta=20),
    ],
    ids=["compressed", "smaller", "paler"],
)
def test_a_changed_copy_is_near(changed: Callable[[np.ndarray], np.ndarray]) -> None:
    known = training(*(texture(i) for i in range(20)))

    leak = seen(known, changed(texture(7)))

    assert leak is not None
    assert (leak.sample, leak.kind) == ("sample 7", "near")


def test_a_mirrored_copy_is_found_as_such() -> None:
    known = training(*(texture(i) for i in range(20)))

    leak = seen(known, np.ascontiguousarray(texture(3)[:, ::-1]))

    assert leak is not None
    assert (leak.sample, leak.kind) == ("sample 3", "mirrored")


def test_other_pictures_do_not_leak() -> None:
    known = training(*(texture(i) for i in range(20)))

    assert [seen(known, texture(i)) for i in range(100, 140)] == [None] * 40


def test_an_empty_training_set_knows_nothing() -> None:
    assert TrainingSet([], [], []).seen("x", "11", 5, 6) is None
