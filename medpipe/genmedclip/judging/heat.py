"""Scores a model's heat maps over all regions of a test set, once, and keeps the scores."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from medpipe.errors import Rejected
from medpipe.genmedclip.judging.cache import Cache, vector_array, vectors
from medpipe.genmedclip.judging.contract import Embedder, Example, Floats, Image, Ints, Region
from medpipe.genmedclip.judging.embeddings import Embedded
from medpipe.genmedclip.judging.grounding import Pointed, mask_of, score
from medpipe.genmedclip.judging.pictures import WORK_PX, decode, within
from medpipe.genmedclip.judging.sources import TestSet


def scored_regions(
    test: TestSet, embedded: Embedded, model: Embedder, cache: Cache, batch: int
) -> tuple[Pointed, Ints]:
    """Scores of all regions, and the position of the picture each belongs to.

    Raises:
        Rejected: There is no region, or the files changed since the facts were taken.
    """
    split = test.spec.source.split
    owner = np.array([i for i, f in enumerate(embedded.facts) for _ in f.example.regions], np.int64)
    if not len(owner):
        raise Rejected("nothing_usable", f"{test.spec.name}: no region has text and a box")
    key = f"regions/{model.fingerprint}/{test.fingerprint(split)}.parquet"
    table = cache.load(key)
    if table is None or table.num_rows != len(owner):
        _score_all(test, embedded, model, cache, key, batch)
        table = cache.load(key)
    if table is None or table.num_rows != len(owner):
        raise Rejected("files_changed", f"{test.spec.name}: another number of regions than before")
    return Pointed.of_rows(vectors(table, "vector").astype(np.float64)), owner


def heat_of(model: Embedder, pairs: list[tuple[Image, Region]]) -> list[Floats]:
    """One map a pair, checked."""
    maps = model.heat_maps([image for image, _ in pairs], [region.text for _, region in pairs])
    if len(maps) != len(pairs) or not all(m.ndim == 2 and np.isfinite(m).all() for m in maps):
        raise ValueError(f"{model.name} gave {len(maps)} maps for {len(pairs)} pairs, or NaN")
    return maps


def _score_all(
    test: TestSet, embedded: Embedded, model: Embedder, cache: Cache, key: str, batch: int
) -> None:
    schema = pa.schema({"vector": pa.list_(pa.float32(), Pointed.WIDTH)})
    with cache.writing(key, schema) as out:
        for pairs in _batches(test, embedded, batch):
            masks = [mask_of(region) for _, region in pairs]
            rows = score(heat_of(model, pairs), masks).rows()
            out.write(pa.record_batch([vector_array(rows.astype(np.float32))], schema=schema))


def _batches(test: TestSet, embedded: Embedded, size: int) -> Iterator[list[tuple[Image, Region]]]:
    readable = {f.example.id for f in embedded.facts}
    waiting: list[tuple[Image, Region]] = []
    for row in test.read(test.spec.source.split):
        if not isinstance(row, Example) or not row.regions or row.id not in readable:
            continue
        image = within(decode(row.picture), WORK_PX)
        for region in row.regions:
            waiting.append((image, region))
            if len(waiting) == size:
                yield waiting
                waiting = []
    if waiting:
        yield waiting
