"""Retrieval over the whole pool: exact ranks, ties as chance has them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medpipe.genmedclip.judging.retrieval import (
    CUTS,
    Found,
    chance_of_retrieval,
    pair,
    retrieve,
    search,
)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def vectors(n: int, seed: int, d: int = 16) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def figures(
    images: np.ndarray, texts: np.ndarray, captions: list[tuple[str, ...]]
) -> dict[str, float]:
    pairs = pair(captions)
    ones = np.ones(len(images))
    outcome = retrieve(images, texts, pairs, np.arange(len(images)))
    return {name: measure(ones) for name, measure in outcome.measures.items()}


@pytest.mark.parametrize("seed", range(3))
def test_ranks_are_those_of_sorting_the_whole_pool(seed: int) -> None:
    random = np.random.default_rng(seed)
    queries, pool = vectors(1100, seed), vectors(700, seed + 50)
    query = np.concatenate([np.arange(1100), random.integers(0, 1100, 900)])
    query, answer = np.unique([query, random.integers(0, 700, 2000)], axis=1)

    found = search(queries, pool, query, answer)

    order = np.argsort(-(queries.astype(float) @ pool.T.astype(float)), axis=1)
    right = [set(answer[query == q]) for q in range(1100)]
    ranks = [next(r for r, i in enumerate(order[q], 1) if i in right[q]) for q in range(1100)]
    # In 770,000 scores a few are ties within float32, which count half.
    assert found.rank() == pytest.approx(ranks, abs=1, rel=0)
    assert np.mean(found.rank() == ranks) > 0.99
    for cut in CUTS:
        assert np.mean(found.hit(cut) == [r <= cut for r in ranks]) > 0.998


def test_a_model_that_knows_finds_everything_first() -> None:
    own = vectors(60, 1)

    found = figures(own, own, [(f"text {i}",) for i in range(60)])

    assert found["image_to_text_r1"] == found["text_to_image_r1"] == 1
    assert found["image_to_text_median_rank"] == 1
    assert found["r10_mean"] == 1


@given(
    n=st.integers(3, 40),
    texts_each=st.integers(1, 3),
    shared=st.integers(1, 8),
)
def test_a_model_that_sees_nothing_gets_exactly_chance(
    n: int, texts_each: int, shared: int
) -> None:
    captions = [
        tuple(
            f"text {(i * texts_each + k) % (n * texts_each // shared + 1)}"
            for k in range(texts_each)
        )
        for i in range(n)
    ]
    pairs = pair(captions)
    blind = unit(np.ones((n, 4)))
    ones = np.ones(n)

    outcome = retrieve(blind, unit(np.ones((len(pairs.texts), 4))), pairs, np.arange(n))
    chance = chance_of_retrieval(pairs)

    assert outcome.measures["image_to_text_r5"](ones) == pytest.approx(chance["image_to_text_r5"])
    assert chance["image_to_text_r1"] <= chance["image_to_text_r10"] <= 1


def test_chance_is_k_out_of_n_for_one_right_answer() -> None:
    chance = chance_of_retrieval(pair([(f"text {i}",) for i in range(40)]))

    assert chance["image_to_text_r1"] == pytest.approx(1 / 40)
    assert chance["text_to_image_r10"] == pytest.approx(10 / 40)
    assert chance["image_to_text_median_rank"] == pytest.approx(20.5)


def test_ties_give_part_of_a_hit() -> None:
    # Two wrong answers above, three wrong ones level with the one right answer.
    found = Found(np.array([2]), np.array([3]), np.array([1]))

    assert [float(found.hit(k)[0]) for k in (1, 2, 3, 4, 6)] == pytest.approx([0, 0, 0.25, 0.5, 1])
    assert float(found.rank()[0]) == pytest.approx(4.5)


def test_one_text_of_two_pictures_is_right_for_both() -> None:
    images, texts = np.eye(4, dtype=np.float32)[:3], np.eye(4, dtype=np.float32)[[0, 2]]

    found = figures(images, texts, [("same",), ("same",), ("other",)])

    # The second picture matches neither text: both texts tie for it.
    assert found["image_to_text_r1"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["text_to_image_r1"] == 1


def test_pictures_without_a_text_are_distractors_and_no_queries() -> None:
    own = vectors(5, 2)

    found = figures(own, own[:3], [("a",), ("b",), ("c",), (), ()])

    assert found["image_to_text_r1"] == 1
    assert pair([("a",), ()]).images == 2


def test_weights_weigh_the_median() -> None:
    images, texts = vectors(30, 3), vectors(30, 4)
    pairs = pair([(f"text {i}",) for i in range(30)])
    outcome = retrieve(images, texts, pairs, np.arange(30))
    weights = np.random.default_rng(0).integers(0, 3, 30).astype(float)
    often = np.repeat(np.arange(30), weights.astype(int))

    ranks = search(images, texts, pairs.image, pairs.text).rank()

    expected = np.median(ranks[often])
    assert outcome.measures["image_to_text_median_rank"](weights) == pytest.approx(expected)


def test_a_text_counts_as_often_as_its_first_picture() -> None:
    images, texts = vectors(20, 5), vectors(20, 6)
    pairs = pair([(f"text {i}",) for i in range(20)])
    outcome = retrieve(images, texts, pairs, np.arange(20))
    hits = search(texts, images, pairs.text, pairs.image).hit(10)
    alone = np.zeros(20)
    alone[8] = 1

    assert outcome.measures["text_to_image_r10"](alone) == hits[8] == 1
    assert outcome.measures["text_to_image_r10"](np.ones(20)) == pytest.approx(hits.mean())
