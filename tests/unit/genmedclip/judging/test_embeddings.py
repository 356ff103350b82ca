"""Embeddings are computed once, kept, verified, and made again when they cannot be trusted."""

import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from medpipe.errors import Rejected
from medpipe.genmedclip.judging.cache import Cache
from medpipe.genmedclip.judging.contract import Floats, Image
from medpipe.genmedclip.judging.embeddings import Embedded, embed, embed_texts, pictures_of
from medpipe.genmedclip.judging.sources import TestSet, find
from medpipe.storage import open_store
from tests.support.colours import ColourModel, ConstantModel, painted
from tests.support.testsets import pictures, png, spec, write_folder


@pytest.fixture
def test_set(tmp_path: Path) -> TestSet:
    write_folder(tmp_path / "data/set", pictures(5))
    (tmp_path / "data/set/red/broken.png").write_bytes(b"no picture")
    found = find(spec({"type": "folder", "uri": "set"}), str(tmp_path / "data"))
    assert found is not None
    return found


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(open_store(str(tmp_path / "cache")))


def images(root: Path) -> list[Path]:
    return sorted(root.glob("cache/images/**/*.parquet"))


def same(a: Embedded, b: Embedded, model: str) -> bool:
    return a.facts == b.facts and np.array_equal(a.images[model], b.images[model])


def test_a_second_judging_reads_no_picture(test_set: TestSet, cache: Cache) -> None:
    model = ColourModel()
    first = embed(test_set, None, [model], cache)
    seen = model.images_seen

    again = embed(test_set, None, [model], cache)

    assert model.images_seen == seen == 15
    assert same(first, again, "colours")


def test_vectors_belong_to_their_pictures(test_set: TestSet, cache: Cache) -> None:
    embedded = embed(test_set, None, [ColourModel()], cache, batch=4)

    shown = dict(pictures_of(test_set, None, {f.example.id for f in embedded.facts}))
    for facts, vector in zip(embedded.facts, embedded.images["colours"], strict=True):
        assert np.allclose(ColourModel().embed_images([shown[facts.example.id]])[0], vector)
        assert facts.example.labels == (int(np.argmax(vector[:3])),)


def test_what_cannot_be_read_is_told_and_left_out(test_set: TestSet, cache: Cache) -> None:
    embedded = embed(test_set, None, [ColourModel()], cache)

    assert [(d.id, d.code) for d in embedded.dropped] == [("red/broken.png", "broken_image")]
    assert len(embedded.facts) == len(embedded.images["colours"]) == 15


def test_another_model_takes_one_more_pass_and_the_first_none(
    test_set: TestSet, cache: Cache
) -> None:
    first, second = ColourModel("a"), ColourModel("b", swap=True)
    embed(test_set, None, [first], cache)

    embed(test_set, None, [first, second], cache)

    assert (first.images_seen, second.images_seen) == (15, 15)


def test_vectors_that_are_not_those_that_were_written_are_made_again(
    test_set: TestSet, cache: Cache, tmp_path: Path
) -> None:
    model = ColourModel()
    first = embed(test_set, None, [model], cache)
    [file] = images(tmp_path)
    table, stated = pq.read_table(file), pq.ParquetFile(file).metadata.metadata
    turned = table.take(list(range(table.num_rows))[::-1])
    pq.write_table(turned.replace_schema_metadata(stated), file)

    again = embed(test_set, None, [model], cache)

    assert model.images_seen == 30
    assert same(first, again, "colours")


@pytest.mark.parametrize("harm", ["flip", "truncate", "empty", "other rows"])
def test_damaged_embeddings_are_made_again(
    test_set: TestSet, cache: Cache, tmp_path: Path, harm: str
) -> None:
    model = ColourModel()
    first = embed(test_set, None, [model], cache)
    [file] = images(tmp_path)
    data = bytearray(file.read_bytes())
    if harm == "flip":
        data[len(data) // 3] ^= 0xFF
    elif harm == "other rows":
        model_b = ColourModel("b", swap=True)
        embed(test_set, None, [model_b], cache)
        data = bytearray(next(f for f in images(tmp_path) if f != file).read_bytes())
        data = data[: len(data) // 2]
    file.write_bytes(data[: {"truncate": 100, "empty": 0}.get(harm, len(data))])

    again = embed(test_set, None, [model], cache)

    assert model.images_seen == 30
    assert same(first, again, "colours")


def test_no_more_pictures_than_a_batch_wait_in_memory(test_set: TestSet, cache: Cache) -> None:
    model = ColourModel()

    embed(test_set, None, [model], cache, batch=4)

    assert model.most_at_once == 4
    assert model.images_seen == 15


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path: Path, cache: Cache) -> None:
    large = [("red", np.full((512, 512, 3), i, np.uint8)) for i in range(150)]  # 118 MB
    write_folder(tmp_path / "data/large", large)
    found = find(spec({"type": "folder", "uri": "large"}), str(tmp_path / "data"))
    assert found is not None
    del large

    tracemalloc.start()
    embedded = embed(found, None, [ConstantModel()], cache, batch=8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(embedded.facts) == 150
    assert peak < 30 << 20


def test_texts_are_embedded_once(cache: Cache) -> None:
    model = ColourModel()
    texts = [f"a red thing {i}" for i in range(40)]

    first = embed_texts(model, texts, cache, batch=16)
    again = embed_texts(model, texts, cache, batch=16)

    assert model.texts_seen == 40
    assert np.array_equal(first, again)
    assert np.array_equal(first, model.embed_texts(texts))


class Wrong(ColourModel):
    def embed_images(self, images: Sequence[Image]) -> Floats:
        return super().embed_images(images) * 2


class Broken(ColourModel):
    def embed_images(self, images: Sequence[Image]) -> Floats:
        return super().embed_images(images) * np.nan


@pytest.mark.parametrize("kind", [Wrong, Broken])
def test_a_model_that_gives_no_unit_vectors_is_told_so_and_nothing_is_kept(
    test_set: TestSet, cache: Cache, tmp_path: Path, kind: type[ColourModel]
) -> None:
    with pytest.raises(ValueError, match="vectors"):
        embed(test_set, None, [kind("wrong")], cache)

    assert images(tmp_path) == []
    assert list(tmp_path.glob("cache/**/.*")) == []


def test_a_set_without_one_usable_picture_is_refused(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / "data/set/red").mkdir(parents=True)
    (tmp_path / "data/set/red/a.png").write_bytes(png(painted("red"))[:50])
    found = find(spec({"type": "folder", "uri": "set"}), str(tmp_path / "data"))
    assert found is not None

    with pytest.raises(Rejected, match="nothing_usable"):
        embed(found, None, [ColourModel()], cache)
