"""Embeds a test set once for each model, in one pass over its pictures, and keeps the result."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from medpipe.errors import Rejected
from medpipe.genmedclip.judging.cache import Cache, CacheWriter, vector_array, vectors
from medpipe.genmedclip.judging.contract import Embedder, Example, Floats, Image, Region
from medpipe.genmedclip.judging.pictures import WORK_PX, decode, hashes, within
from medpipe.genmedclip.judging.rows import Dropped
from medpipe.genmedclip.judging.sources import TestSet

BATCH = 64
_UNIT_TOLERANCE = 1e-2

_REGION = pa.struct(
    {
        "text": pa.string(),
        "boxes": pa.list_(pa.list_(pa.float64())),
        "trace": pa.list_(pa.list_(pa.float64())),
    }
)
_FACTS = pa.schema(
    {
        "id": pa.string(),
        "labels": pa.list_(pa.int64()),
        "texts": pa.list_(pa.string()),
        "regions": pa.list_(_REGION),
        "group": pa.string(),
        "sha256": pa.string(),
        "phash": pa.uint64(),
        "mirrored": pa.uint64(),
    }
)
_DROPS = pa.schema({"id": pa.string(), "code": pa.string(), "detail": pa.string()})


@dataclass(frozen=True, slots=True)
class Facts:
    """A test picture without its pixels.

    Attributes:
        example: What is true of it; `picture` is empty.
        sha256: Of the encoded bytes, or of the pixels where the source holds pixels.
        phash: Perceptual hash.
        mirrored: Perceptual hash of the mirror image.
    """

    example: Example
    sha256: str
    phash: int
    mirrored: int


@dataclass(frozen=True, slots=True)
class Embedded:
    """A test set as models see it.

    Attributes:
        facts: Of the n pictures that could be read, in the source's order.
        dropped: Rows that could not be judged.
        images: (n, d) unit vectors by model name.
    """

    facts: list[Facts]
    dropped: list[Dropped]
    images: dict[str, Floats]


def embed(
    test: TestSet, split: str | None, models: Sequence[Embedder], cache: Cache, batch: int = BATCH
) -> Embedded:
    """Embed a split with every model, reading it at most once; pictures wait in no list.

    Raises:
        Rejected: The source is not what its spec says.
        ValueError: A model gave no unit vectors.
    """
    mark = test.fingerprint(split)
    facts, drops = cache.load(_facts_key(mark)), cache.load(_drops_key(mark))
    known = {} if facts is None or drops is None else _known(models, mark, cache, facts.num_rows)
    missing = [model for model in models if model.name not in known]
    if missing or facts is None or drops is None:
        _pass(test, split, missing, cache, batch)
        facts, drops = cache.load(_facts_key(mark)), cache.load(_drops_key(mark))
        if facts is None or drops is None:
            raise ValueError(f"what was just written for {test.spec.name} does not read back")
        known |= _known(missing, mark, cache, facts.num_rows)
    return Embedded(
        [_fact(row) for row in facts.to_pylist()],
        [Dropped(**row) for row in drops.to_pylist()],
        {model.name: known[model.name] for model in models},
    )


def embed_texts(
    model: Embedder, texts: Sequence[str], cache: Cache, batch: int = 4 * BATCH
) -> Floats:
    """(n, d) unit vectors of texts, kept by model and texts."""
    joined = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    key = f"texts/{model.fingerprint}/{joined}.parquet"
    table = cache.load(key)
    if table is not None and table.num_rows == len(texts):
        return vectors(table, "vector")
    parts = [
        _unit(model.embed_texts(texts[start : start + batch]), model)
        for start in range(0, len(texts), batch)
    ]
    found = np.concatenate(parts)
    record = pa.record_batch([vector_array(found)], names=["vector"])
    with cache.writing(key, record.schema) as out:
        out.write(record)
    return found


def pictures_of(test: TestSet, split: str | None, wanted: set[str]) -> Iterator[tuple[str, Image]]:
    """Decoded pictures of some examples, by another pass that decodes nothing else."""
    for row in test.read(split):
        if isinstance(row, Example) and row.id in wanted:
            yield row.id, within(decode(row.picture), WORK_PX)


def _known(models: Sequence[Embedder], mark: str, cache: Cache, count: int) -> dict[str, Floats]:
    found = {}
    for model in models:
        table = cache.load(_images_key(model, mark))
        if table is not None and table.num_rows == count:
            found[model.name] = vectors(table, "vector")
    return found


def _pass(
    test: TestSet, split: str | None, models: Sequence[Embedder], cache: Cache, batch: int
) -> None:
    """Read the source once: facts, drops, and vectors of the models that lack them."""
    mark = test.fingerprint(split)
    with ExitStack() as stack:
        facts = stack.enter_context(cache.writing(_facts_key(mark), _FACTS))
        drops = stack.enter_context(cache.writing(_drops_key(mark), _DROPS))
        writers: dict[str, CacheWriter] = {}
        for rows, images, dropped in _batches(test.read(split), batch):
            facts.write(pa.RecordBatch.from_pylist(rows, _FACTS))
            if dropped:
                drops.write(_drop_batch(dropped))
            for model in models if images else ():
                vector = vector_array(_unit(model.embed_images(images), model))
                record = pa.record_batch([vector], names=["vector"])
                if model.name not in writers:
                    writers[model.name] = stack.enter_context(
                        cache.writing(_images_key(model, mark), record.schema)
                    )
                writers[model.name].write(record)
        if not writers and models:
            raise Rejected("nothing_usable", f"{test.spec.name}: no picture can be judged")


def _batches(
    rows: Iterator[Example | Dropped], size: int
) -> Iterator[tuple[list[dict[str, Any]], list[Image], list[Dropped]]]:
    facts: list[dict[str, Any]] = []
    images: list[Image] = []
    dropped: list[Dropped] = []
    for row in rows:
        if isinstance(row, Dropped):
            dropped.append(row)
        else:
            try:
                rgb = decode(row.picture)
            except Rejected as error:
                dropped.append(Dropped(row.id, error.code, error.detail))
            else:
                facts.append(_fact_row(row, rgb))
                images.append(within(rgb, WORK_PX))
        if len(images) == size or len(dropped) == size:
            yield facts, images, dropped
            facts, images, dropped = [], [], []
    yield facts, images, dropped


def _drop_batch(dropped: list[Dropped]) -> pa.RecordBatch:
    rows = [{"id": d.id, "code": d.code, "detail": d.detail} for d in dropped]
    return pa.RecordBatch.from_pylist(rows, _DROPS)


def _fact_row(example: Example, rgb: Image) -> dict[str, Any]:
    raw = example.picture
    data = raw if isinstance(raw, bytes) else np.ascontiguousarray(raw).tobytes()
    plain, mirrored = hashes(rgb)
    return {
        "id": example.id,
        "labels": example.labels,
        "texts": example.texts,
        "regions": [{"text": r.text, "boxes": r.boxes, "trace": r.trace} for r in example.regions],
        "group": example.group,
        "sha256": hashlib.sha256(data).hexdigest(),
        "phash": plain,
        "mirrored": mirrored,
    }


def _fact(row: dict[str, Any]) -> Facts:
    regions = tuple(
        Region(r["text"], tuple(map(tuple, r["boxes"])), tuple(map(tuple, r["trace"])))
        for r in row["regions"]
    )
    example = Example(
        id=row["id"],
        picture=b"",
        labels=tuple(row["labels"]),
        texts=tuple(row["texts"]),
        regions=regions,
        group=row["group"],
    )
    return Facts(example, row["sha256"], row["phash"], row["mirrored"])


def _unit(found: Floats, model: Embedder) -> Floats:
    """The vectors, if they are what a model must give."""
    if found.ndim != 2 or not np.isfinite(found).all():
        raise ValueError(f"{model.name} gave {found.shape} vectors that are not finite rows")
    norms = np.linalg.norm(found, axis=1)
    if np.abs(norms - 1).max(initial=0) > _UNIT_TOLERANCE:
        raise ValueError(f"{model.name} gave vectors of length {norms.min()} to {norms.max()}")
    return np.asarray(found, np.float32)


def _facts_key(mark: str) -> str:
    return f"facts/{mark}.parquet"


def _drops_key(mark: str) -> str:
    return f"drops/{mark}.parquet"


def _images_key(model: Embedder, mark: str) -> str:
    return f"images/{model.fingerprint}/{mark}.parquet"
